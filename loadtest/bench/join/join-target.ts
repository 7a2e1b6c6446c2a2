/** Something that players join: what they say to it over HTTP until they know their room's address. */
import type { LeanAddress } from "../lean-socket.ts";
import type { KeptConnection } from "./kept-connection.ts";

export interface JoinTarget {
  readonly name: string;
  /** Where the HTTP calls go. */
  readonly url: string;
  /** The HTTP calls, which follow each other. */
  readonly exchanges: readonly string[];
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
