/**
 * One place per player in a room. A newcomer whose player has an older session there, connected or kept
 * for a return, takes its place: the older one is ended for good, and the newcomer enters only when the
 * room has let go of it, so that no room ever has a player twice. One that is older itself is refused.
 */
import type { Room } from "@colyseus/core";
import { type Clock, sleep } from "../../shared/clock.ts";
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { SessionId } from "../../shared/ids.ts";
import { dismissReturn } from "../node/room-internals.ts";

/** A room's `onLeave` may take this long. */
const LET_GO_DEADLINE_MS = 2_000;
const POLL_MS = 10;

export interface Rival {
  readonly sessionId: SessionId;
  readonly sessionEpoch: Epoch;
}

export interface TakeOver {
  readonly room: Room;
  readonly sessionEpoch: Epoch;
  /** The player's other sessions that the room has now. */
  readonly rivals: () => readonly Rival[];
  /** Ends that session's connection, if it has one. */
  readonly close: (sessionId: SessionId) => void;
  readonly clock: Clock;
}

/**
 * @throws {MeridianError} `session_taken_over` when the newcomer is the older one; `unavailable` when
 *   the room does not let go
 */
export async function takeOver(options: TakeOver): Promise<void> {
  const { room, sessionEpoch, clock } = options;
  const endsAtMs = clock.monotonicMs() + LET_GO_DEADLINE_MS;
  for (let rivals = options.rivals(); rivals.length > 0; rivals = options.rivals()) {
    if (rivals.some((rival) => compareEpochs(rival.sessionEpoch, sessionEpoch) > 0)) {
      throw new MeridianError("session_taken_over");
    }
    if (clock.monotonicMs() >= endsAtMs) {
      throw new MeridianError("unavailable", { message: "The former session has not ended yet." });
    }
    for (const { sessionId } of rivals) {
      options.close(sessionId);
      // A room may keep the seat of whoever's connection ended, whatever the reason.
      dismissReturn(room, sessionId);
    }
    await sleep(clock, POLL_MS);
  }
}
