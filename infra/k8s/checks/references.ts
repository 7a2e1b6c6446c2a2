/** What objects of one overlay say of each other: every name has to lead somewhere. */
import type { ILabelSelector } from "@kubernetes-models/apimachinery/apis/meta/v1/LabelSelector";
import type { IRole } from "kubernetes-models/rbac.authorization.k8s.io/v1/Role";
import type { IRoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding";
import type { IContainer } from "kubernetes-models/v1/Container";
import type { IProbe } from "kubernetes-models/v1/Probe";
import type { IServiceSpec } from "kubernetes-models/v1/ServiceSpec";
import {
  containersOf,
  type Manifest,
  nameOf,
  namespaceOf,
  type Pods,
  podsOf,
  selects,
} from "./manifest.ts";

/** Secrets that an operator makes by hand, and their keys. */
export type Secrets = ReadonlyMap<string, ReadonlySet<string>>;

const KIND_OF_RESOURCE: Readonly<Record<string, string>> = {
  "statefulsets/scale": "StatefulSet",
  "deployments/scale": "Deployment",
};

/** One line for each name that leads nowhere. */
export function referenceProblems(
  manifests: readonly Manifest[],
  secrets: Secrets,
): readonly string[] {
  const pods = podsOf(manifests);
  const has = (kind: string, name: string | undefined) =>
    manifests.some((one) => one.kind === kind && one.metadata.name === name);
  return [
    ...manifests.flatMap((manifest) => selectorProblems(manifest, pods)),
    ...manifests.flatMap((manifest) => rightsProblems(manifest, has)),
    ...pods.flatMap((one) => podProblems(one, manifests, secrets)),
  ];
}

/** Ports by name, of all containers. */
export function portsOf(pods: Pods): ReadonlyMap<string, number> {
  return new Map(
    pods.spec.containers.flatMap(({ ports = [] }) =>
      ports.map(({ name = "", containerPort }) => [name, containerPort] as const),
    ),
  );
}

function selectorProblems(manifest: Manifest, all: readonly Pods[]): string[] {
  const selector = selectorOf(manifest);
  if (!selector) return [];
  const here = all.filter(({ namespace }) => namespace === namespaceOf(manifest));
  const selected = here.filter(({ labels }) => selects(selector, labels));
  const name = nameOf(manifest);
  if (selected.length === 0) return [`${name}: its selector matches no pod`];
  if (manifest.kind !== "Service") return [];
  const { ports = [] } = manifest.spec as IServiceSpec;
  return ports.flatMap(({ port, targetPort = port }) =>
    selected
      .filter((pods) => !hasPort(pods, targetPort))
      .map((pods) => `${name}: ${pods.of} has no port ${targetPort}`),
  );
}

function selectorOf({ kind, spec }: Manifest): ILabelSelector | undefined {
  if (kind === "Service") return { matchLabels: (spec as IServiceSpec).selector ?? {} };
  const selecting = ["Deployment", "StatefulSet", "PodDisruptionBudget", "PodMonitor"];
  if (!selecting.includes(kind)) return undefined;
  return (spec as { readonly selector?: ILabelSelector }).selector ?? {};
}

export function hasPort(pods: Pods, port: number | string): boolean {
  const ports = portsOf(pods);
  return typeof port === "string" ? ports.has(port) : [...ports.values()].includes(port);
}

/** A role may name only what is there: a name that is misspelt is a right that nobody has. */
function rightsProblems(
  manifest: Manifest,
  has: (kind: string, name: string | undefined) => boolean,
): string[] {
  const name = nameOf(manifest);
  if (manifest.kind === "Role") {
    const { rules = [] } = manifest as unknown as IRole;
    return (rules ?? []).flatMap(({ resources = [], resourceNames = [] }) =>
      (resourceNames ?? [])
        .filter((one) => !(resources ?? []).some((kind) => has(KIND_OF_RESOURCE[kind] ?? "", one)))
        .map((one) => `${name}: there is no ${resources?.join()} ${one}`),
    );
  }
  if (manifest.kind !== "RoleBinding") return [];
  const { roleRef, subjects } = manifest as unknown as IRoleBinding;
  return [
    ...(has("Role", roleRef.name) ? [] : [`${name}: there is no Role ${roleRef.name}`]),
    ...(subjects ?? [])
      .filter((subject) => !has(subject.kind, subject.name))
      .map((subject) => `${name}: there is no ${subject.kind} ${subject.name}`),
  ];
}

function podProblems(pods: Pods, manifests: readonly Manifest[], secrets: Secrets): string[] {
  const { spec, of, labels } = pods;
  const has = (kind: string, name: string | undefined) =>
    manifests.some((one) => one.kind === kind && one.metadata.name === name);
  const account = spec.serviceAccountName;
  const containers = containersOf(pods);
  const spread = (spec.topologySpreadConstraints ?? []).filter(
    ({ labelSelector }) => !selects(labelSelector, labels),
  );
  return [
    ...(has("ServiceAccount", account) ? [] : [`${of}: there is no ServiceAccount ${account}`]),
    ...spread.map(({ topologyKey }) => `${of}: its spread over ${topologyKey} counts other pods`),
    ...volumeProblems(pods, manifests, secrets),
    ...containers.flatMap((container) => [
      ...mountProblems(pods, container),
      ...probeProblems(pods, container),
    ]),
  ];
}

function volumeProblems(pods: Pods, manifests: readonly Manifest[], secrets: Secrets): string[] {
  const { of, spec, claims } = pods;
  const mounted = containersOf(pods).flatMap(({ volumeMounts = [] }) =>
    volumeMounts.map(({ name }) => name),
  );
  const volumes = spec.volumes ?? [];
  const unused = [...volumes.map(({ name }) => name), ...claims].filter(
    (name) => !mounted.includes(name),
  );
  return [
    ...unused.map((name) => `${of}: nobody mounts the volume ${name}`),
    ...volumes.flatMap(({ secret, configMap }) => {
      if (secret) {
        const { secretName = "", items = [] } = secret;
        const keys = secrets.get(secretName);
        if (!keys) return [`${of}: nobody makes the Secret ${secretName} (docs/kubernetes.md)`];
        return items
          .filter(({ key }) => !keys.has(key))
          .map(({ key }) => `${of}: the Secret ${secretName} has no ${key}`);
      }
      const found = manifests.some(
        ({ kind, metadata }) => kind === "ConfigMap" && metadata.name === configMap?.name,
      );
      return configMap && !found ? [`${of}: there is no ConfigMap ${configMap.name}`] : [];
    }),
  ];
}

function mountProblems({ of, spec, claims }: Pods, { name, volumeMounts = [] }: IContainer) {
  const known = [...(spec.volumes ?? []).map((volume) => volume.name), ...claims];
  return volumeMounts
    .filter((mount) => !known.includes(mount.name))
    .map((mount) => `${of}: ${name} mounts ${mount.name}, and there is no such volume`);
}

function probeProblems({ of }: Pods, container: IContainer): string[] {
  const { name, ports = [], startupProbe, readinessProbe, livenessProbe } = container;
  return Object.entries({ startupProbe, readinessProbe, livenessProbe }).flatMap(
    ([which, probe]) => {
      const port = portOf(probe);
      if (port === undefined) return [];
      const found = ports.some((one) => one.name === port || one.containerPort === port);
      return found
        ? []
        : [`${of}: the ${which} of ${name} asks at ${port}, which is no port of it`];
    },
  );
}

function portOf(probe: IProbe | undefined): number | string | undefined {
  return probe?.httpGet?.port ?? probe?.tcpSocket?.port;
}
