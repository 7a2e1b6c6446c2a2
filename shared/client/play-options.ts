import type { Clock } from "../clock.ts";
import type { JoinAnswer, JoinOutcome } from "../protocol/join.ts";
import type { Arrival, Connection } from "./connection.ts";
import type { Waiting } from "./waiting.ts";

/** What a stay needs from outside; `Meridian` provides it. */
export interface PlayOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly scheme: "ws:" | "wss:";
  /** A seat in any room that fits, or a place in a queue. */
  join(): Promise<JoinOutcome>;
  /** The kept seat. */
  comeBack(roomId: string, reconnectionToken: string): Promise<JoinAnswer>;
  readonly waiting: Waiting;
  readonly onConnection?: ((connection: Connection, arrival: Arrival) => void) | undefined;
}
