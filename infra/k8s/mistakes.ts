/** Mistakes that people make in manifests, one of each kind, for the test that plants them and sees them found. */
import { type Manifest, nameOf } from "./checks/manifest.ts";

type Path = readonly (string | number)[];

/** In one object of an overlay the field at a path has another value, or is gone. */
export interface Mistake {
  readonly what: string;
  readonly overlay: string;
  readonly object: string;
  readonly path: Path;
  readonly value: unknown;
  readonly finds: RegExp;
}

const NAME = "app.kubernetes.io/name";
const NAMED = ["matchLabels", NAME] as const;
const POD = ["spec", "template", "spec"] as const;
const MAIN = [...POD, "containers", 0] as const;
const SECURITY = [...MAIN, "securityContext"] as const;
const SECRETS = [...POD, "volumes", 0, "secret"] as const;
const ENV = [...MAIN, "env"] as const;

const mistakesIn =
  (overlay: string, object: string) =>
  (what: string, path: Path, value: unknown, finds: RegExp): Mistake => ({
    what,
    overlay,
    object,
    path,
    value,
    finds,
  });
const core = mistakesIn("core-site", "Deployment core");
const coreBudget = mistakesIn("core-site", "PodDisruptionBudget core");
const corePolicy = mistakesIn("core-site", "NetworkPolicy core");
const nodes = mistakesIn("region-beijing", "StatefulSet nodes");
const set = (name: string, value: string) => [{ name, value }];

/** What a schema says. */
const INVALID: readonly Mistake[] = [
  core("a field that is misspelt", [...MAIN, "redinessProbe"], {}, /no field .*0\/redinessProbe/),
  core("a field of another type", ["spec", "replicas"], "two", /replicas must be integer/),
  core("a field that is missing", [...MAIN, "name"], undefined, /must have required property name/),
  coreBudget(
    "a field of nothing",
    ["spec", "maxUnavailabel"],
    1,
    /no field \/spec\/maxUnavailabel/,
  ),
  coreBudget(
    "an API that is gone",
    ["apiVersion"],
    "policy/v1beta1",
    /no stable PodDisruptionBudget/,
  ),
];

/** Names that lead nowhere. */
const LOST: readonly Mistake[] = [
  mistakesIn("core-site", "Service core-pods")(
    "a Service for nobody",
    ["spec", "selector", NAME],
    "cores",
    /Service core-pods: its selector matches no pod/,
  ),
  mistakesIn("core-site", "Service core-link")(
    "a Service's port that nobody has",
    ["spec", "ports", 0, "targetPort"],
    "linc",
    /Deployment core-entry has no port linc/,
  ),
  mistakesIn("core-site", "Deployment core-entry")(
    "a key that a Secret has not",
    [...POD, "volumes", 1, "secret", "items", 0, "key"],
    "tls.pem",
    /core-players-tls has no tls.pem/,
  ),
  coreBudget("a budget for nobody", ["spec", "selector", ...NAMED], "cores", /matches no pod/),
  core("a probe at no port", [...MAIN, "livenessProbe", "httpGet", "port"], "privat", /at privat/),
  core("a Secret that nobody makes", [...SECRETS, "secretName"], "cores", /the Secret cores/),
  nodes(
    "a ConfigMap that is not there",
    [...MAIN, "envFrom", 0, "configMapRef", "name"],
    "settings",
    /there is no ConfigMap settings/,
  ),
  nodes("a mount of no volume", [...MAIN, "volumeMounts", 0, "name"], "x", /no such volume/),
  nodes("an account of nobody", [...POD, "serviceAccountName"], "x", /no ServiceAccount x/),
  nodes(
    "a spread over other pods",
    [...POD, "topologySpreadConstraints", 0, "labelSelector", ...NAMED],
    "edge",
    /counts other pods/,
  ),
  mistakesIn("region-beijing", "Role scaling")(
    "rights to another object",
    ["rules", 0, "resourceNames"],
    ["node"],
    /no statefulsets\/scale node/,
  ),
  mistakesIn("region-beijing", "RoleBinding scaling")(
    "rights for nobody",
    ["subjects", 0, "name"],
    "scaler",
    /no ServiceAccount scaler/,
  ),
];

/** Who may speak to whom. */
const NETWORK: readonly Mistake[] = [
  corePolicy("a policy for nobody", ["spec", "podSelector", ...NAMED], "x", /it matches no pod/),
  corePolicy(
    "a policy at no port",
    ["spec", "ingress", 1, "ports", 0, "port"],
    7303,
    /lets in at 7303, where no pod of it listens/,
  ),
  corePolicy("a way out to no port", ["spec", "egress", 0, "ports", 0, "port"], 6380, /port 6380/),
  mistakesIn("core-site", "NetworkPolicy core-redis")(
    "a policy that lets in nobody",
    ["spec", "ingress", 0, "from", 0, "podSelector", ...NAMED],
    "cores",
    /there is no pod .*cores/,
  ),
  mistakesIn("core-site", "NetworkPolicy deny-all")(
    "a namespace that is open",
    ["spec", "policyTypes"],
    ["Ingress"],
    /no NetworkPolicy denies all by default/,
  ),
  core("no policy", ["spec", "template", "metadata", "labels", NAME], "x", /no policy names it/),
];

/** What a pod may. */
const LOOSE: readonly Mistake[] = [
  core("root", [...POD, "securityContext", "runAsUser"], 0, /it may run as root/),
  core(
    "files to write to",
    [...SECURITY, "readOnlyRootFilesystem"],
    false,
    /can write to its image/,
  ),
  core("a capability", [...SECURITY, "capabilities", "add"], ["NET_ADMIN"], /adds capabilities/),
  core("a token", [...POD, "automountServiceAccountToken"], true, /a token that no Role/),
  core("an image that changes", [...MAIN, "image"], "a.example.com/meridian:latest", /no registry/),
  core("no limits", [...MAIN, "resources", "limits"], undefined, /no requests and limits/),
  core("no probe", [...MAIN, "readinessProbe"], undefined, /core has no readinessProbe/),
  coreBudget(
    "no budget",
    ["spec", "selector", ...NAMED],
    "core-entry",
    /core: it has no PodDisrup/,
  ),
  core("a secret that all may read", [...SECRETS, "defaultMode"], 0o644, /are not 0400/),
  core("files that are never renewed", [...MAIN, "volumeMounts", 0, "subPath"], "x", /a subPath/),
  core(
    "a secret in the environment",
    ENV,
    [{ name: "MASTER_KEY", valueFrom: { secretKeyRef: { name: "core", key: "master-key" } } }],
    /has a secret in its environment/,
  ),
];

/** What the processes take. */
const SETTINGS: readonly Mistake[] = [
  core("a setting that is none", ENV, set("CORE_PROT", "7300"), /no setting CORE_PROT/),
  core("a value that is none", ENV, set("SCALING_FILL", "80%"), /SCALING_FILL: /),
  core("a secret as it is", ENV, set("MASTER_KEY", "AAAA"), /give it as MASTER_KEY_FILE/),
  core(
    "a file that no volume brings",
    ENV,
    set("MASTER_KEY_FILE", "/run/meridian/core/masterkey"),
    /MASTER_KEY_FILE is .*, which no volume brings/,
  ),
  core("a port of another pod", ENV, set("CORE_PRIVATE_PORT", "7303"), /no port of the pod/),
  core(
    "a command that is none",
    [...MAIN, "command"],
    ["node", "core/mian.ts"],
    /starts no process/,
  ),
  nodes("a variable that is not set", [...ENV, 0, "name"], "PODIP", /\$\(POD_IP\) is not set/),
  nodes(
    "a drain that is killed",
    [...POD, "terminationGracePeriodSeconds"],
    300,
    /may take 315000 ms to stop, and is killed after 300000/,
  ),
  nodes(
    "a Service that is not there",
    ENV,
    set("CORE_LINK_ADDRESS", "core-links.meridian-core.svc.cluster.local:7301"),
    /no Service core-links/,
  ),
  mistakesIn("core-site", "ConfigMap topology")(
    "a topology that the core would refuse",
    ["data", "topology.json"],
    '{ "regions": [] }',
    /topology file .* is wrong: core/,
  ),
];

export const MISTAKES = [...INVALID, ...LOST, ...NETWORK, ...LOOSE, ...SETTINGS];

/** Makes that one mistake. */
export function plant(manifests: readonly Manifest[], { object, path, value }: Mistake): void {
  let place: unknown = manifests.find((one) => nameOf(one) === object);
  for (const step of path.slice(0, -1)) place = Object(place)[step];
  const last = path.at(-1);
  if (typeof place !== "object" || place === null || last === undefined) {
    throw new Error(`${object} has no ${path.join(".")}`);
  }
  const before: unknown = Reflect.get(place, last);
  // What a container has of its own environment stays, so that only one thing is wrong.
  const both = last === "env" && Array.isArray(before) && Array.isArray(value);
  if (value === undefined) Reflect.deleteProperty(place, last);
  else Reflect.set(place, last, both ? [...before, ...value] : value);
}
