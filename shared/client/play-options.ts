import type { Clock } from "../clock.ts";
import type { JoinAnswer, JoinOutcome } from "../protocol/join.ts";
import type { Arrival, Connection } from "./connection.ts";
import type { Waiting } from "./waiting.ts";

export interface KeptPlace {
  readonly roomId: string;
  /** The reconnection token. */
  readonly token: string;
  /** A node that is out of this player's reach. */
  readonly unreachable: string | undefined;
}

/** What a stay needs from outside; `Meridian` provides it. */
export interface PlayOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly scheme: "ws:" | "wss:";
  /** A seat in any room that fits, or a place in a queue. @param avoid a region that does not come into question */
  join(avoid: string | undefined): Promise<JoinOutcome>;
  /** The kept seat. */
  comeBack(place: KeptPlace): Promise<JoinAnswer>;
  readonly waiting: Waiting;
  readonly onConnection?: ((connection: Connection, arrival: Arrival) => void) | undefined;
}
