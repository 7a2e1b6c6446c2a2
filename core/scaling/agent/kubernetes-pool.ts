/**
 * Nodes as pods of a StatefulSet or a Deployment for each region, scaled by its `scale` subresource.
 *
 * Which pod goes when there are to be fewer is the cluster's choice: of a StatefulSet always the one with the highest
 * number, so that one is emptied, however many play there. Of a Deployment the pod with the lowest deletion cost:
 * the one that was emptied gets it before the number falls. A pod is known by its address: the one under which the
 * core reaches the node's link is the pod's IP, or begins with its name.
 *
 * The number is changed only from what was read, so two agents, or a hand at the same time, do not undo each other.
 */
import { MeridianError } from "../../../shared/errors.ts";
import type { NodeId, RegionId } from "../../../shared/ids.ts";
import type { RegionScalingStatus, ScaledNode } from "../../../shared/protocol/ops-scaling.ts";
import type { KubernetesApi, Workload } from "./kubernetes-api.ts";
import type { NodePool, Order } from "./node-pool.ts";

export interface KubernetesPoolOptions {
  readonly api: KubernetesApi;
  readonly workloads: ReadonlyMap<RegionId, Workload>;
}

export class KubernetesPool implements NodePool {
  readonly name = "kubernetes";
  readonly #options: KubernetesPoolOptions;
  /** The node of each region that was given up last: it lives on for a moment, and must not cost another. */
  readonly #leaving = new Map<RegionId, NodeId>();

  constructor(options: KubernetesPoolOptions) {
    this.#options = options;
  }

  async leaving(
    { regionId, nodes }: RegionScalingStatus,
    signal: AbortSignal,
  ): Promise<NodeId | undefined> {
    const workload = this.#workloadOf(regionId);
    if (workload.kind === "deployment") return undefined;
    const { api } = this.#options;
    const { replicas } = await api.scale(workload, signal);
    const pod = await this.#lastOf(workload, replicas, signal);
    const node = nodes.find((one) => isAt(one, pod));
    if (node) return node.nodeId;
    const message = `no node of ${regionId} is at the pod ${pod.name}, which goes first`;
    throw new MeridianError("conflict", { message });
  }

  async setNodes({ regionId, nodes, without }: Order, signal: AbortSignal): Promise<void> {
    const { api } = this.#options;
    const workload = this.#workloadOf(regionId);
    const now = await api.scale(workload, signal);
    if (!without) {
      if (now.replicas >= nodes) return;
      await api.setScale(workload, { ...now, replicas: nodes }, signal);
      return;
    }
    if (now.replicas <= nodes || this.#leaving.get(regionId) === without.nodeId) return;
    if (nodes < 1) throw new MeridianError("conflict", { message: `${regionId} has one node` });
    // By one, whatever else there is: a pod that is starting is not among the nodes.
    const replicas = now.replicas - 1;
    if (await this.#makeFirst(workload, without, now.replicas, signal)) {
      await api.setScale(workload, { ...now, replicas }, signal);
    }
    this.#leaving.set(regionId, without.nodeId);
  }

  /**
   * @returns false when it is going already
   * @throws {MeridianError} when another pod than the node's would go
   */
  async #makeFirst(
    workload: Workload,
    node: ScaledNode,
    replicas: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { api } = this.#options;
    if (workload.kind === "statefulset") {
      const pod = await this.#lastOf(workload, replicas, signal);
      if (isAt(node, pod)) return true;
      const message = `${pod.name} would go, and ${node.nodeId} was emptied`;
      throw new MeridianError("conflict", { message });
    }
    const [pod, ...more] = await api.podsAt(hostOf(node), signal);
    if (!pod || more.length > 0) {
      const message = `${more.length + (pod ? 1 : 0)} pods have the address of ${node.nodeId}`;
      throw new MeridianError("conflict", { message });
    }
    if (pod.metadata.deletionTimestamp !== undefined) return false;
    await api.markFirstToGo(pod.metadata.name, signal);
    return true;
  }

  async #lastOf({ name }: Workload, replicas: number, signal: AbortSignal): Promise<NamedPod> {
    const pod = await this.#options.api.pod(`${name}-${replicas - 1}`, signal);
    return { name: pod.metadata.name, ip: pod.status.podIP };
  }

  #workloadOf(regionId: RegionId): Workload {
    const workload = this.#options.workloads.get(regionId);
    if (workload) return workload;
    const message = `SCALE_KUBERNETES_WORKLOADS names none for ${regionId}`;
    throw new MeridianError("not_found", { message });
  }
}

interface NamedPod {
  readonly name: string;
  readonly ip: string | undefined;
}

function isAt(node: ScaledNode, { name, ip }: NamedPod): boolean {
  const host = hostOf(node);
  return host === ip || host === name || host.startsWith(`${name}.`);
}

function hostOf({ linkAddress }: ScaledNode): string {
  return linkAddress.slice(0, linkAddress.lastIndexOf(":"));
}
