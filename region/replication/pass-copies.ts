/**
 * Hands copies of other nodes' rooms on to a node that has seats for them, whole: decoded here once, so that what
 * arrives there is one full frame.
 */

import { Counter, type Metrics } from "../../shared/metrics.ts";
import {
  type CopyName,
  NO_COPY,
  type NodeAddress,
  type PassCopiesAnswer,
  type PassCopiesRequest,
} from "../../shared/protocol/failover.ts";
import type { Rooms } from "../node/colyseus.ts";
import { isGameRoom } from "../rooms/define-game.ts";
import { schemaHash } from "../rooms/snapshot-schema.ts";
import { atATime } from "./at-a-time.ts";
import type { Copy, CopyStore } from "./copy-store.ts";
import type { OutboundStream } from "./outbound-stream.ts";
import type { Slice } from "./slices.ts";
import { whyNot } from "./why-not.ts";

const PASSED_AT_A_TIME = 4;
/** Until the other node says that it has the copy. */
const ACKED_WITHIN_MS = 2_000;
const REASON_LENGTH_MAX = 200;

export interface PassCopiesOptions {
  readonly store: CopyStore;
  readonly rooms: Pick<Rooms, "classOf">;
  readonly streamTo: (node: NodeAddress) => OutboundStream;
  readonly slice: Slice;
  readonly metrics: Metrics;
}

export class PassCopies {
  readonly #options: PassCopiesOptions;
  readonly #outcomes: Counter<"outcome">;
  readonly #slots = atATime(PASSED_AT_A_TIME);

  constructor(options: PassCopiesOptions) {
    this.#options = options;
    this.#outcomes = new Counter({
      name: "meridian_region_passed_copies_total",
      help: "Copies that were to be handed on to another node: passed or failed.",
      labelNames: ["outcome"],
      registers: [options.metrics],
    });
  }

  /** Never rejects: each room is passed or failed. */
  async pass({ rooms, to }: PassCopiesRequest): Promise<PassCopiesAnswer> {
    const answer: PassCopiesAnswer = { passed: [], failed: [] };
    await Promise.all(
      rooms.map(async (name) => {
        const { roomId } = name;
        const why = await this.#slots(() => this.#pass(name, to)).catch(whyNot);
        this.#outcomes.inc({ outcome: why === undefined ? "passed" : "failed" });
        if (why === undefined) answer.passed.push(roomId);
        else answer.failed.push({ roomId, why: why.slice(0, REASON_LENGTH_MAX) });
      }),
    );
    return answer;
  }

  /** @returns why not */
  async #pass(name: CopyName, to: NodeAddress): Promise<string | undefined> {
    const { store, streamTo } = this.#options;
    const copy = store.find(name);
    if (!copy) return NO_COPY;
    const snapshot = await this.#wholeOf(copy);
    const { roomId, game, roomEpoch, ofNode, players } = copy;
    const given = await streamTo(to).giveOnce(
      { roomId, game, roomEpoch, ofNode },
      { bytes: snapshot, players, withinMs: ACKED_WITHIN_MS },
    );
    return given ? undefined : `${to.nodeId} did not take it in time`;
  }

  /** @throws {RoomStateError}, or that this node has no such game */
  async #wholeOf({ game, log }: Copy): Promise<Uint8Array> {
    const { rooms, slice } = this.#options;
    const roomClass = rooms.classOf(game);
    if (!roomClass || !isGameRoom(roomClass)) throw new Error(`${game} is no game of this node`);
    const replica = await log.replica(schemaHash(roomClass.State), slice);
    return await slice(() => replica.snapshot());
  }
}
