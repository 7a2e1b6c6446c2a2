/**
 * Scaling by the Kubernetes API, against a real HTTPS server that holds each request against the documented form: no
 * cluster is here. What it answers is what the API reference says, and no more is claimed.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { createAuthority } from "../../../infra/private-link/authority.ts";
import { RegionId } from "../../../shared/ids.ts";
import { RegionScalingStatus } from "../../../shared/protocol/ops-scaling.ts";
import { KubernetesApi } from "./kubernetes-api.ts";
import { KubernetesPool } from "./kubernetes-pool.ts";

interface FakePod {
  readonly name: string;
  readonly ip: string;
  cost?: string;
  readonly deletionTimestamp?: string;
}

/** What the server holds, as a cluster would. */
const cluster = {
  token: "first-token",
  replicas: 2,
  resourceVersion: 41,
  pods: [] as FakePod[],
  asked: [] as string[],
  patched: [] as unknown[],
  /** Changes the number between the agent's reading and its change. */
  meddles: false,
};

const authority = await createAuthority();
const other = await createAuthority();
const own = await authority.issue({ role: "core" });
const dir = mkdtempSync(join(tmpdir(), "meridian-kubernetes-"));
const tokenFile = join(dir, "token");
const caFile = join(dir, "ca.crt");
const server = createServer({ cert: own.cert, key: own.key }, (request, response) => {
  void answer(request, response);
});
before(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)));
beforeEach(() => {
  writeFileSync(tokenFile, "first-token\n");
  writeFileSync(caFile, authority.caPem);
  Object.assign(cluster, { token: "first-token", replicas: 2, meddles: false });
  Object.assign(cluster, { asked: [], patched: [], pods: [] });
});
after(() => {
  server.close();
  rmSync(dir, { recursive: true });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = "";
  for await (const bytes of request) text += String(bytes);
  const { method = "", url = "", headers } = request;
  cluster.asked.push(`${method} ${url}`);
  const say = (status: number, body: object) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  const refuse = (code: number, message: string) =>
    say(code, { kind: "Status", apiVersion: "v1", status: "Failure", message, code });
  if (headers.authorization !== `Bearer ${cluster.token}`) return refuse(401, "Unauthorized");
  const body = text === "" ? undefined : JSON.parse(text);
  if (method === "PATCH") {
    assert.equal(headers["content-type"], "application/merge-patch+json");
    cluster.patched.push(body);
  }
  const { pathname, searchParams } = new URL(url, "https://api");
  if (
    /^\/apis\/apps\/v1\/namespaces\/play\/(statefulsets|deployments)\/beijing\/scale$/.test(
      pathname,
    )
  ) {
    if (method === "PATCH") {
      if (body.metadata.resourceVersion !== String(cluster.resourceVersion)) {
        return refuse(409, "the object has been modified");
      }
      cluster.replicas = body.spec.replicas;
      cluster.resourceVersion += 1;
    }
    const scale = scaleOf();
    if (cluster.meddles) cluster.resourceVersion += 1;
    return say(200, scale);
  }
  const name = /^\/api\/v1\/namespaces\/play\/pods\/([^/]+)$/.exec(pathname)?.[1];
  const pod = cluster.pods.find((one) => one.name === name);
  if (pod && method === "PATCH") {
    pod.cost = body.metadata.annotations["controller.kubernetes.io/pod-deletion-cost"];
  }
  if (pod) return say(200, podOf(pod));
  if (pathname === "/api/v1/namespaces/play/pods") {
    const ip = searchParams.get("fieldSelector")?.replace("status.podIP=", "");
    const items = cluster.pods.filter((one) => one.ip === ip).map(podOf);
    return say(200, { kind: "PodList", apiVersion: "v1", metadata: {}, items });
  }
  refuse(404, `pods "${name}" not found`);
}

function scaleOf() {
  const { replicas } = cluster;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name: "beijing", resourceVersion: String(cluster.resourceVersion) },
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas },
  };
}

function podOf({ name, ip, deletionTimestamp }: FakePod) {
  const metadata = { name, ...(deletionTimestamp !== undefined && { deletionTimestamp }) };
  return { kind: "Pod", apiVersion: "v1", metadata, spec: {}, status: { podIP: ip } };
}

const regionId = RegionId.parse("beijing");
const { signal } = new AbortController();
const why = { regionId, reason: "load", why: "" };

function pool(kind: "statefulset" | "deployment", deadlineMs = 5_000) {
  const { port } = server.address() as AddressInfo;
  const api = new KubernetesApi({
    url: `https://127.0.0.1:${port}`,
    namespace: "play",
    tokenFile,
    caFile,
    deadlineMs,
  });
  return new KubernetesPool({ api, workloads: new Map([[regionId, { kind, name: "beijing" }]]) });
}

function region(hosts: string[]) {
  const nodes = hosts.map((host, n) => ({
    nodeId: `beijing-${n + 1}`,
    linkAddress: `${host}:7401`,
    draining: false,
    taken: 0,
    rooms: 0,
  }));
  const numbers = { wanted: 1, running: 2, min: 1, max: 4, sinceMs: 0, players: 0, waiting: 0 };
  const said = { regionId, reason: "calm", why: "", seatsPerNode: 10 };
  return RegionScalingStatus.parse({ ...said, ...numbers, nodes });
}

test("more nodes are a patch of the scale subresource, which names what was read", async () => {
  await pool("statefulset").setNodes({ ...why, nodes: 3 }, signal);
  assert.deepEqual(cluster.asked, [
    "GET /apis/apps/v1/namespaces/play/statefulsets/beijing/scale",
    "PATCH /apis/apps/v1/namespaces/play/statefulsets/beijing/scale",
  ]);
  const [patch] = cluster.patched as { metadata: object }[];
  const resourceVersion = String(cluster.resourceVersion - 1);
  assert.deepEqual(patch, { metadata: { resourceVersion }, spec: { replicas: 3 } });
  await pool("deployment").setNodes({ ...why, nodes: 3 }, signal);
  assert.equal(cluster.asked.at(-1), "GET /apis/apps/v1/namespaces/play/deployments/beijing/scale");
  await pool("statefulset").setNodes({ ...why, nodes: 1 }, signal);
  assert.equal(cluster.patched.length, 1, "never fewer without a node that was emptied");
});

test("a change in between is not undone", async () => {
  cluster.meddles = true;
  const order = { ...why, nodes: 3 };
  await assert.rejects(pool("statefulset").setNodes(order, signal), { kind: "conflict" });
  assert.equal(cluster.replicas, 2);
});

test("of a StatefulSet the pod with the highest number is emptied, and goes", async () => {
  cluster.pods = [
    { name: "beijing-0", ip: "10.0.0.1" },
    { name: "beijing-1", ip: "10.0.0.2" },
  ];
  const own = pool("statefulset");
  const byIp = region(["10.0.0.2", "10.0.0.1"]);
  assert.equal(await own.leaving(byIp, signal), "beijing-1");
  assert.equal(
    await own.leaving(region(["beijing-0.play", "beijing-1.play"]), signal),
    "beijing-2",
  );
  await assert.rejects(
    own.leaving(region(["10.0.0.1"]), signal),
    /no node .* at the pod beijing-1/,
  );
  const [leaves, stays] = byIp.nodes;
  const order = { ...why, nodes: 1 };
  await assert.rejects(own.setNodes({ ...order, without: stays }, signal), { kind: "conflict" });
  assert.equal(cluster.replicas, 2);
  await own.setNodes({ ...order, without: leaves }, signal);
  assert.equal(cluster.replicas, 1);
  await own.setNodes({ ...order, without: leaves }, signal);
  assert.equal(cluster.replicas, 1, "the same order again costs nothing");
});

test("of a Deployment the pod that was emptied gets the lowest deletion cost, and goes", async () => {
  cluster.replicas = 3;
  const one: FakePod = { name: "beijing-x", ip: "10.0.0.1" };
  cluster.pods = [one, { name: "beijing-y", ip: "10.0.0.2" }];
  const own = pool("deployment");
  const [first, second] = region(["10.0.0.1", "10.0.0.2"]).nodes;
  assert.equal(await own.leaving(region(["10.0.0.1"]), signal), undefined);
  await own.setNodes({ ...why, nodes: 1, without: first }, signal);
  assert.deepEqual([one.cost, cluster.replicas], ["-1000", 2], "by one: another one is starting");
  await own.setNodes({ ...why, nodes: 1, without: first }, signal);
  assert.equal(cluster.replicas, 2, "it lives on for a moment, and costs no other");
  cluster.pods = [{ name: "beijing-y", ip: "10.0.0.2", deletionTimestamp: "2026-01-01T00:00:00Z" }];
  await own.setNodes({ ...why, nodes: 1, without: second }, signal);
  assert.equal(cluster.replicas, 2, "it is going already");
  const nowhere = region(["10.0.0.9"]).nodes[0];
  const lost = own.setNodes({ ...why, nodes: 1, without: nowhere }, signal);
  await assert.rejects(lost, /0 pods have the address/);
});

test("token and CA are read at each call; a refusal is told in the API's words", async () => {
  const own = pool("statefulset");
  cluster.token = "second-token";
  await assert.rejects(own.setNodes({ ...why, nodes: 3 }, signal), {
    kind: "forbidden",
    message: "the Kubernetes API answered with status 401: Unauthorized",
  });
  writeFileSync(tokenFile, "second-token");
  await own.setNodes({ ...why, nodes: 3 }, signal);
  assert.equal(cluster.replicas, 3);
  writeFileSync(caFile, other.caPem);
  await assert.rejects(own.setNodes({ ...why, nodes: 4 }, signal), { kind: "unavailable" });
  rmSync(tokenFile);
  await assert.rejects(own.setNodes({ ...why, nodes: 4 }, signal), /token or CA can't be read/);
});
