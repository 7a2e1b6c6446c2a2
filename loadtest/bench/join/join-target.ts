/** Something that players join: what they say to it over HTTP until they know their room's address. */
import type { LeanAddress } from "../lean-socket.ts";
import type { KeptConnection } from "./kept-connection.ts";

export interface JoinTarget {
  readonly name: string;
  /** Where the HTTP calls go. */
  readonly url: string;
  /** What a player waits for, one after the other, from the first call to the first state. */
  readonly exchanges: readonly string[];
  /** Whether the room waits for the join's acknowledgement before it sends the state. */
  readonly acknowledges: boolean;
  /** Its processes, without those that they have started, by name. */
  readonly processes: ReadonlyMap<string, number>;
  /** A new player's calls. @returns where the room is */
  takeSeat(http: KeptConnection): Promise<LeanAddress>;
  stop(): Promise<void>;
}

/** What both kinds of server answer with. */
export interface Reservation {
  readonly roomId: string;
  readonly sessionId: string;
  readonly processId: string;
}

/** The path and query of a reservation's websocket, as Colyseus' clients make it. */
export function socketPath({ roomId, sessionId, processId }: Reservation): string {
  return `/${processId}/${roomId}?sessionId=${sessionId}`;
}
