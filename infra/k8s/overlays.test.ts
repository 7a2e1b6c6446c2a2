/** The manifests as a cluster would get them, checked; and mistakes planted in them, each of which must be found. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { documentedSecrets } from "./checks/documented-secrets.ts";
import { findKustomize, parseManifests, render } from "./checks/kustomize.ts";
import { type Manifest, nameOf } from "./checks/manifest.ts";
import { problemsOf } from "./checks/problems.ts";
import { MISTAKES, plant } from "./mistakes.ts";

const OVERLAYS = join(import.meta.dirname, "overlays");
/** An overlay of this test's own, with what needs more than a bare cluster. */
const MONITORED = join(import.meta.dirname, "checks/monitored");
const secrets = documentedSecrets();
const rendered = new Map<string, readonly Manifest[]>();

before(async () => {
  const kustomize = await findKustomize();
  for (const name of readdirSync(OVERLAYS)) {
    rendered.set(name, await render(kustomize, join(OVERLAYS, name)));
  }
  rendered.set("monitored", await render(kustomize, MONITORED));
});

function find(overlay: string, manifests = manifestsOf(overlay)): Promise<readonly string[]> {
  const others = [...rendered].filter(([name]) => name !== overlay).flatMap(([, all]) => all);
  return problemsOf({ manifests, elsewhere: [...manifests, ...others], secrets });
}

function manifestsOf(overlay: string): readonly Manifest[] {
  const manifests = rendered.get(overlay);
  if (!manifests) throw new Error(`there is no overlay ${overlay}`);
  return manifests;
}

test("every overlay is what a cluster, and the processes in it, can take", async () => {
  for (const overlay of rendered.keys()) {
    assert.deepEqual(await find(overlay), [], overlay);
  }
});

test("every Secret that the page has one make is used", () => {
  const text = JSON.stringify([...rendered.values()]);
  const unused = [...secrets.keys()].filter((name) => !text.includes(`"secretName":"${name}"`));
  assert.deepEqual(unused, []);
});

for (const mistake of MISTAKES) {
  test(`found: ${mistake.what}`, async () => {
    const manifests = structuredClone(manifestsOf(mistake.overlay));
    plant(manifests, mistake);
    assert.match((await find(mistake.overlay, manifests)).join("\n"), mistake.finds);
  });
}

test("found: a key that is there twice, which a cluster would take for one", () => {
  assert.throws(() => parseManifests("kind: Service\nkind: Service\n"), /unique/);
});

test("a page that makes a Secret twice is refused", () => {
  const page = "kubectl -n a create secret tls t --cert=a --key=b\n";
  assert.throws(() => documentedSecrets(page + page), /the Secret t twice/);
});

test("the image has all that it is told to have, and the Node that the lockfile pins runs it", () => {
  const root = join(import.meta.dirname, "../..");
  const dockerfile = readFileSync(join(import.meta.dirname, "Dockerfile"), "utf8");
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)]
    .flatMap(([, names = ""]) => names.split(" "))
    .sort();
  const there = readdirSync(root);
  assert.deepEqual(
    copied.filter((name) => !there.includes(name)),
    [],
  );
  const ignore = readFileSync(join(import.meta.dirname, "Dockerfile.dockerignore"), "utf8");
  const kept = [...ignore.matchAll(/^!(.+)$/gm)].map(([, name]) => name).sort();
  assert.deepEqual([...new Set(copied)], kept);
  assert.match(dockerfile, /^FROM \S+:\d+\.\d+\.\d+-\S+$/m);
  assert.match(dockerfile, /^ENV .*PATH=\/app\/node_modules\/\.bin:\$PATH$/m);
  assert.match(dockerfile, /^USER [1-9]\d*:[1-9]\d*$/m);
});

test("the scaling agent may do what its adapter calls, to its StatefulSet, and nothing else", () => {
  const manifests = manifestsOf("region-beijing");
  const role = manifests.find((one) => nameOf(one) === "Role scaling");
  assert.deepEqual(role && "rules" in role && role.rules, [
    // core/scaling/agent/kubernetes-api.ts: scale, setScale
    {
      apiGroups: ["apps"],
      resources: ["statefulsets/scale"],
      resourceNames: ["nodes"],
      verbs: ["get", "patch"],
    },
    // pod; podsAt and markFirstToGo are for Deployments.
    { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
  ]);
  assert.equal(manifests.filter(({ kind }) => /^(Cluster)?Role$/.test(kind)).length, 1);
  // What is scaled has no number in the manifests, or each `apply` would undo the agent's.
  const nodes = manifests.find((one) => nameOf(one) === "StatefulSet nodes");
  assert.equal(nodes?.spec && "replicas" in Object(nodes.spec), false);
});
