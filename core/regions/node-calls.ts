/** The core's calls to nodes: reserve, release, drain. */

import { RegionId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import {
  Done,
  type DrainRequest,
  type ReleaseRequest,
  ReserveAnswer,
  type ReserveRequest,
} from "../../shared/protocol/link.ts";
import { type NodeRecord, partsOf } from "./registry-step.ts";

const RELEASE_DEADLINE_MS = 2_000;
const DRAIN_DEADLINE_MS = 2_000;

export class NodeCalls {
  readonly #client: LinkClient;

  constructor(client: LinkClient) {
    this.#client = client;
  }

  /** @throws {MeridianError} the node's refusal; `timeout`, `unavailable` */
  reserve(node: NodeRecord, body: ReserveRequest, deadlineMs: number): Promise<ReserveAnswer> {
    const path = "/link/reserve";
    return this.#client.call({ ...target(node), path, body, answer: ReserveAnswer, deadlineMs });
  }

  async release(node: NodeRecord, body: ReleaseRequest): Promise<void> {
    const deadlineMs = RELEASE_DEADLINE_MS;
    const path = "/link/release";
    await this.#client.call({ ...target(node), path, body, answer: Done, deadlineMs });
  }

  async drain(node: NodeRecord, body: DrainRequest): Promise<void> {
    const deadlineMs = DRAIN_DEADLINE_MS;
    const path = "/link/drain";
    await this.#client.call({ ...target(node), path, body, answer: Done, deadlineMs });
  }
}

function target(node: NodeRecord) {
  const regionId = RegionId.parse(partsOf(node.nodeId).region);
  return { address: node.heartbeat.linkAddress, peer: { role: "region", regionId } as const };
}
