/**
 * The core's calls to nodes: reserve, release, evict, wanted, drain, fence, and those of a failover. Reserves have
 * a client of their own, so that a node which hangs in them still hears the others.
 */
import { failuresIn, type MeridianError } from "../../shared/errors.ts";
import { RegionId } from "../../shared/ids.ts";
import type { LateAnswer, LinkClient } from "../../shared/link/link-client.ts";
import {
  CopiesAnswer,
  type CopiesRequest,
  MoveRoomsAnswer,
  type MoveRoomsRequest,
  PassCopiesAnswer,
  type PassCopiesRequest,
  TakeOverAnswer,
  type TakeOverRequest,
  WitnessAnswer,
  type WitnessRequest,
} from "../../shared/protocol/failover.ts";
import {
  Done,
  type DrainRequest,
  type EvictRequest,
  type FenceRequest,
  type ReconnectSeat,
  type ReleaseRequest,
  ReserveAnswer,
  ReserveManyAnswer,
  type ReserveRequest,
} from "../../shared/protocol/link.ts";
import type { WantedPlayer } from "../../shared/protocol/player-state.ts";
import { type NodeRecord, partsOf } from "./registry-step.ts";

const RELEASE_DEADLINE_MS = 2_000;
const EVICT_DEADLINE_MS = 2_000;
const DRAIN_DEADLINE_MS = 2_000;
/** It is said again with each load that waits. */
const WANTED_DEADLINE_MS = 1_000;
const FENCE_DEADLINE_MS = 2_000;
/** It is looked up in memory; a node that is gone as well must not hold the others up. */
const COPIES_DEADLINE_MS = 800;
/** A copy of 100 kB each, 500 of them, to the next region. */
const PASS_COPIES_DEADLINE_MS = 4_000;
/** 500 rooms are restored in about a second. */
const MOVE_ROOMS_DEADLINE_MS = 10_000;
const TAKE_OVER_DEADLINE_MS = 4_000;
/** Longer than a witness looks. */
const WITNESS_DEADLINE_MS = 1_200;

export interface Clients {
  readonly reserves: LinkClient;
  readonly others: LinkClient;
}

export interface Patience {
  readonly deadlineMs: number;
  readonly late?: LateAnswer<ReserveAnswer>;
}

export class NodeCalls {
  readonly #clients: Clients;

  constructor(clients: Clients) {
    this.#clients = clients;
  }

  /** @throws {MeridianError} the node's refusal; `timeout`, `unavailable` */
  reserve(node: NodeRecord, body: ReserveRequest, patience: Patience): Promise<ReserveAnswer> {
    const call = { ...target(node), path: "/link/reserve", body, answer: ReserveAnswer };
    return this.#clients.reserves.call({ ...call, ...patience });
  }

  /** An answer or a failure for each, in their order. @throws as `reserve`, for all of them */
  async reserveMany(
    node: NodeRecord,
    requests: readonly ReconnectSeat[],
    deadlineMs: number,
  ): Promise<(ReserveAnswer | MeridianError)[]> {
    const path = "/link/reserve-many";
    const call = {
      ...target(node),
      path,
      body: { requests },
      answer: ReserveManyAnswer,
      deadlineMs,
    };
    const { answers } = await this.#clients.reserves.call(call);
    return failuresIn(answers);
  }

  async release(node: NodeRecord, body: ReleaseRequest): Promise<void> {
    const deadlineMs = RELEASE_DEADLINE_MS;
    const path = "/link/release";
    await this.#clients.others.call({ ...target(node), path, body, answer: Done, deadlineMs });
  }

  async evict(node: NodeRecord, body: EvictRequest): Promise<void> {
    const deadlineMs = EVICT_DEADLINE_MS;
    const path = "/link/evict";
    await this.#clients.others.call({ ...target(node), path, body, answer: Done, deadlineMs });
  }

  async wanted(node: NodeRecord, body: WantedPlayer): Promise<void> {
    const deadlineMs = WANTED_DEADLINE_MS;
    const path = "/link/wanted";
    await this.#clients.others.call({ ...target(node), path, body, answer: Done, deadlineMs });
  }

  async drain(node: NodeRecord, body: DrainRequest): Promise<void> {
    const deadlineMs = DRAIN_DEADLINE_MS;
    const path = "/link/drain";
    await this.#clients.others.call({ ...target(node), path, body, answer: Done, deadlineMs });
  }

  async fence(node: NodeRecord, body: FenceRequest): Promise<void> {
    const deadlineMs = FENCE_DEADLINE_MS;
    const path = "/link/fence";
    await this.#clients.others.call({ ...target(node), path, body, answer: Done, deadlineMs });
  }

  copies(node: NodeRecord, body: CopiesRequest): Promise<CopiesAnswer> {
    const call = { path: "/link/copies", answer: CopiesAnswer, deadlineMs: COPIES_DEADLINE_MS };
    return this.#clients.others.call({ ...target(node), ...call, body });
  }

  passCopies(node: NodeRecord, body: PassCopiesRequest): Promise<PassCopiesAnswer> {
    const path = "/link/pass-copies";
    const call = { path, answer: PassCopiesAnswer, deadlineMs: PASS_COPIES_DEADLINE_MS };
    return this.#clients.others.call({ ...target(node), ...call, body });
  }

  moveRooms(node: NodeRecord, body: MoveRoomsRequest): Promise<MoveRoomsAnswer> {
    const path = "/link/move-rooms";
    const call = { path, answer: MoveRoomsAnswer, deadlineMs: MOVE_ROOMS_DEADLINE_MS };
    return this.#clients.others.call({ ...target(node), ...call, body });
  }

  takeOver(node: NodeRecord, body: TakeOverRequest): Promise<TakeOverAnswer> {
    const path = "/link/take-over";
    const call = { path, answer: TakeOverAnswer, deadlineMs: TAKE_OVER_DEADLINE_MS };
    return this.#clients.others.call({ ...target(node), ...call, body });
  }

  witness(node: NodeRecord, body: WitnessRequest): Promise<WitnessAnswer> {
    const path = "/link/witness";
    const call = { path, answer: WitnessAnswer, deadlineMs: WITNESS_DEADLINE_MS };
    return this.#clients.others.call({ ...target(node), ...call, body });
  }
}

function target(node: NodeRecord) {
  const regionId = RegionId.parse(partsOf(node.nodeId).region);
  return { address: node.heartbeat.linkAddress, peer: { role: "region", regionId } as const };
}
