/**
 * Who may speak to whom. Every namespace denies all by default, every pod that serves has a policy of its own, and
 * what a policy names has to be there: one that matches no pod protects nothing, and one whose peer matches none cuts
 * off somebody.
 */
import type { INetworkPolicyPeer } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicyPeer";
import type { INetworkPolicySpec } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicySpec";
import { type Manifest, nameOf, namespaceOf, type Pods, podsOf, selects } from "./manifest.ts";
import { hasPort } from "./references.ts";

const NAMESPACE_LABEL = "kubernetes.io/metadata.name";

interface Policy {
  readonly name: string;
  readonly namespace: string;
  readonly spec: INetworkPolicySpec;
}

/**
 * @param elsewhere pods of all overlays, in whose namespaces peers may be
 */
export function networkProblems(
  manifests: readonly Manifest[],
  elsewhere: readonly Pods[],
): readonly string[] {
  const pods = podsOf(manifests);
  const policies = manifests
    .filter(({ kind }) => kind === "NetworkPolicy")
    .map((manifest) => ({
      name: nameOf(manifest),
      namespace: namespaceOf(manifest),
      spec: manifest.spec as INetworkPolicySpec,
    }));
  const namespaces = [...new Set(pods.map(({ namespace }) => namespace))];
  return [
    ...namespaces
      .filter((namespace) => !policies.some((one) => deniesAll(one, namespace)))
      .map((namespace) => `namespace ${namespace}: no NetworkPolicy denies all by default`),
    ...pods.filter((one) => !isGuarded(one, policies)).map(({ of }) => `${of}: no policy names it`),
    ...policies.flatMap((policy) => policyProblems(policy, pods, elsewhere)),
  ];
}

function deniesAll({ namespace, spec }: Policy, wanted: string): boolean {
  const { podSelector, policyTypes = [], ingress = [], egress = [] } = spec;
  const all = Object.keys(podSelector?.matchLabels ?? {}).length === 0;
  const both = policyTypes.includes("Ingress") && policyTypes.includes("Egress");
  return namespace === wanted && all && both && ingress.length === 0 && egress.length === 0;
}

function isGuarded({ namespace, labels }: Pods, policies: readonly Policy[]): boolean {
  return policies.some(
    (policy) =>
      policy.namespace === namespace &&
      Object.keys(policy.spec.podSelector?.matchLabels ?? {}).length > 0 &&
      selects(policy.spec.podSelector, labels),
  );
}

function policyProblems(
  { name, namespace, spec }: Policy,
  pods: readonly Pods[],
  elsewhere: readonly Pods[],
): string[] {
  const selected = pods.filter(
    (one) => one.namespace === namespace && selects(spec.podSelector, one.labels),
  );
  if (selected.length === 0) return [`${name}: it matches no pod`];
  const ingress = spec.ingress ?? [];
  const egress = spec.egress ?? [];
  const closed = ingress
    .flatMap(({ ports = [] }) => ports)
    .filter(({ port }) => port !== undefined && !selected.some((one) => hasPort(one, port)));
  const peers = [
    ...ingress.flatMap(({ from = [] }) => from),
    ...egress.flatMap(({ to = [] }) => to),
  ];
  return [
    ...closed.map(({ port }) => `${name}: it lets in at ${port}, where no pod of it listens`),
    ...peers
      .filter((peer) => !isThere(peer, namespace, elsewhere))
      .map((peer) => `${name}: there is no pod ${JSON.stringify(peer.podSelector)}`),
    ...egress.flatMap(({ to = [], ports = [] }) =>
      to.flatMap((peer) =>
        ports
          .filter(({ port }) => port !== undefined && isClosed(peer, port, namespace, elsewhere))
          .map(
            ({ port }) => `${name}: pods ${JSON.stringify(peer.podSelector)} have no port ${port}`,
          ),
      ),
    ),
  ];
}

/** Of namespaces that are named, such as the cluster's own, nothing is known. */
function isThere(peer: INetworkPolicyPeer, namespace: string, pods: readonly Pods[]): boolean {
  return isElsewhere(peer) || matching(peer, namespace, pods).length > 0;
}

/** Several peers share a rule's ports; a port is closed where it is none of theirs, and of no other peer's kind. */
function isClosed(
  peer: INetworkPolicyPeer,
  port: number | string,
  namespace: string,
  pods: readonly Pods[],
): boolean {
  if (isElsewhere(peer) || peer.namespaceSelector) return false;
  return !matching(peer, namespace, pods).some((one) => hasPort(one, port));
}

function isElsewhere({ ipBlock, namespaceSelector }: INetworkPolicyPeer): boolean {
  return ipBlock !== undefined || namespaceSelector?.matchLabels?.[NAMESPACE_LABEL] !== undefined;
}

function matching(
  { podSelector, namespaceSelector }: INetworkPolicyPeer,
  namespace: string,
  pods: readonly Pods[],
): readonly Pods[] {
  return pods.filter(
    (one) =>
      (namespaceSelector !== undefined || one.namespace === namespace) &&
      selects(podSelector, one.labels),
  );
}
