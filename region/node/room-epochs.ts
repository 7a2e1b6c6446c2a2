/**
 * Gives each new room its epoch, once the core has granted the node's claim. Without one a room ends:
 * nobody may play in a room that the core does not know, or gave to somebody else.
 */
import type { Room } from "@colyseus/core";
import type { Logger } from "pino";
import type { Epoch } from "../../shared/epoch.ts";
import type { GameName, RoomId } from "../../shared/ids.ts";
import type { RoomOps } from "../../shared/protocol/value.ts";
import type { Claims } from "../link/claims.ts";
import type { StepTimes } from "./step-times.ts";

/** A room that waits for its epoch. Plain Colyseus rooms are none and run at once. */
export interface EpochGated {
  /** Of one that was restored: up to where it knows its operations on value. */
  readonly knownOpSeq?: number | undefined;
  /** Of one that was restored: the epoch of the owner whose state it is. */
  readonly formerEpoch?: Epoch | undefined;
  /**
   * Of one that was restored: resolves when its players have their documents.
   * @param claimed before that no code of the game runs @throws what `claimed` does
   */
  loadPlayers?(claimed: Promise<unknown>): Promise<void>;
  /** @param roomOps those that it does not know */
  grantEpoch(epoch: Epoch, roomOps?: readonly RoomOps[]): void;
}

export interface RoomEpochsOptions {
  readonly claims: Pick<Claims, "claim">;
  readonly endRoom: (room: Room) => Promise<void>;
  /** The room runs under an epoch now. */
  readonly onGranted?: (room: Room, roomId: RoomId, game: GameName) => void;
  /** Of rooms that were restored. */
  readonly times?: StepTimes<"claim" | "documents">;
  readonly log: Logger;
}

export class RoomEpochs {
  readonly #options: RoomEpochsOptions;
  readonly #waiting = new Map<RoomId, AbortController>();

  constructor(options: RoomEpochsOptions) {
    this.#options = options;
  }

  /** Claims the room; answers when it has its epoch or is ending for the lack of one. */
  async created(room: Room, roomId: RoomId, game: GameName): Promise<void> {
    const { claims, endRoom, onGranted, times, log } = this.#options;
    const ended = new AbortController();
    this.#waiting.set(roomId, ended);
    try {
      const gated = isEpochGated(room) ? room : undefined;
      const { knownOpSeq: opSeq, formerEpoch } = gated ?? {};
      const claim = { roomId, game, opSeq, formerEpoch };
      const claimed = claims.claim(claim, ended.signal);
      // Documents have an owner of their own, who gives them up when the claim is refused: neither waits.
      const loaded = gated?.loadPlayers?.(claimed);
      const [{ roomEpoch, roomOps }] = await Promise.all(
        claim.opSeq === undefined || !times
          ? [claimed, loaded]
          : [times.of("claim", claimed), times.of("documents", Promise.resolve(loaded))],
      );
      if (ended.signal.aborted || !isEpochGated(room)) return;
      room.grantEpoch(roomEpoch, roomOps);
      onGranted?.(room, roomId, game);
    } catch (err) {
      if (ended.signal.aborted) return;
      log.error(
        { err, roomId, game, runbook: "region-rooms-without-epoch" },
        "a room got no epoch and is ended",
      );
      await endRoom(room);
    } finally {
      this.#waiting.delete(roomId);
    }
  }

  /** The room is gone: its claim needs no further attempts. */
  ended(roomId: RoomId): void {
    this.#waiting.get(roomId)?.abort();
  }
}

function isEpochGated(room: object): room is EpochGated {
  return "grantEpoch" in room && typeof room.grantEpoch === "function";
}
