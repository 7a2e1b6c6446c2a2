/** What `connection-step.ts` knows, is told and asks for. */
import type { MeridianError } from "../errors.ts";
import type { QueuePlace } from "../protocol/queue.ts";
import type { Connection, Moved } from "./connection.ts";
import type {
  Beginning,
  Circumstances,
  QueueEffect,
  QueueEvent,
  QueueState,
} from "./queue-step.ts";
import type { Left, Unreachable } from "./whereabouts.ts";

export interface ConnectionState {
  readonly view: Connection;
  readonly activity: "none" | "waiting" | "asking" | "queued" | "opening" | "live";
  /** Whether there is a session to come back to; else any room will do. */
  readonly returning: boolean;
  readonly regionId: string;
  /** Of the last seat that was used. */
  readonly nodeId: string;
  readonly serial: number;
  readonly attempt: number;
  readonly giveUpAtMs: number;
  readonly liveSinceMs: number;
  readonly heardAtMs: number;
  /** Whether the core is asked where the room is while the connection is only doubted; `serial` is that call's. */
  readonly asked: boolean;
  /** When it may be asked so again. */
  readonly askAgainAtMs: number;
  readonly openedAtMs: number;
  /** Until the player is in a room again. */
  readonly left: Left | undefined;
  readonly unreachable: Unreachable | undefined;
  /** A region that takes other players and can't be reached by this one. */
  readonly avoid: string | undefined;
  /** When the event `wake` is wanted; Infinity for never. */
  readonly wakeAtMs: number;
  /** The place that is held, also while it is exchanged for a seat. */
  readonly queue: QueueState | undefined;
  /** Whether a place was lost, and the search begun anew for that. */
  readonly placeLost: boolean;
}

export type ConnectionEvent =
  | { readonly type: "join" | "opened" | "heard" | "leave" }
  | QueueEvent
  | QueuedEvent
  | {
      readonly type: "seat";
      readonly serial: number;
      readonly regionId: string;
      readonly nodeId: string;
    }
  | { readonly type: "refused"; readonly serial: number; readonly error: MeridianError }
  | { readonly type: "closed"; readonly code: number; readonly reason: string };

/** No seat is free: the answer is a place. */
export interface QueuedEvent extends Circumstances {
  readonly type: "queued";
  readonly serial: number;
  readonly place: QueuePlace;
  readonly beginning: Beginning;
}

export type Effect =
  | QueueEffect
  /** The place is no use any more: forget it. */
  | { readonly type: "forgetPlace" }
  /** Tell the core that the place is given up, if there is one. */
  | { readonly type: "giveUpPlace" }
  /** Ask the core for a seat: the kept one, or any. Answered by `seat`, `queued` or `refused`. */
  | {
      readonly type: "ask";
      readonly serial: number;
      readonly returning: boolean;
      /** A node that the core should know to be out of this player's reach. */
      readonly unreachable?: string;
      /** A region where no seat is any use. */
      readonly avoid?: string;
    }
  /** Tell that the player is in another region now. */
  | { readonly type: "moved"; readonly moved: Moved }
  /** Open a connection with the seat. Answered by `opened` or `closed`. */
  | { readonly type: "open" }
  /** Let go of the connection, whatever its state; nothing more of it is told. */
  | { readonly type: "retire" }
  /** Tell the room that the player leaves, then let go. */
  | { readonly type: "sayLeave" };

/** The present: ms that never run backwards, and a random number from 0 to 1. */
export interface At {
  readonly nowMs: number;
  readonly dice: number;
}

export const initialConnection: ConnectionState = {
  view: { phase: "idle" },
  activity: "none",
  returning: false,
  regionId: "",
  nodeId: "",
  serial: 0,
  attempt: 0,
  giveUpAtMs: 0,
  liveSinceMs: 0,
  heardAtMs: 0,
  asked: false,
  askAgainAtMs: 0,
  openedAtMs: 0,
  left: undefined,
  unreachable: undefined,
  avoid: undefined,
  wakeAtMs: Number.POSITIVE_INFINITY,
  queue: undefined,
  placeLost: false,
};
