/** Who is compared: how each server is started, and how a player gets a seat on it. */
import type { TestCore } from "../../../region/link/test-core.ts";
import {
  claimsFor,
  newPlayerId,
  reservationFor,
  signTicket,
  until,
} from "../../../region/transport/test-tickets.ts";
import { GameName } from "../../../shared/ids.ts";
import type { Child } from "./child.ts";
import { GAME } from "./game.ts";
import type { NodeAddresses, NodeStart } from "./meridian-server.ts";

export type ContenderName = "meridian" | "bareUws" | "colyseusWs";

/** What a stock client takes as the answer to a join. */
export interface Seat {
  readonly name: string;
  readonly roomId: string;
  readonly sessionId: string;
  readonly processId: string;
  readonly publicAddress: string;
}

export interface Contender {
  readonly name: ContenderName;
  /** The server, beside this file. */
  readonly file: string;
  /** Processes that work for this server alone, once it listens: their time is its time. */
  readonly beside?: readonly Child[];
  /** Makes the server listen; answers how one more seat is taken. */
  start(server: Child): Promise<() => Promise<Seat>>;
}

/** A seat is kept until its player comes: all are taken first, and then all players come. */
const SEAT_HOLD_MS = 60_000;

export function seatUrl({ publicAddress, processId, roomId, sessionId }: Seat): string {
  return `ws://${publicAddress}/${processId}/${roomId}?sessionId=${sessionId}`;
}

/**
 * @param core grants seats and signs tickets, as the real one does
 * @param standby takes copies of the rooms; it listens already
 */
export function meridian(core: TestCore, standby?: Child): Contender {
  const takeSeat = async ({ players, link }: NodeAddresses): Promise<Seat> => {
    const playerId = newPlayerId();
    const answer = await core.reserve(link, {
      kind: "seat",
      player: { playerId, name: "Ada", sessionEpoch: [1, 1] },
      game: GameName.parse(GAME),
      mode: "joinOrCreate",
      options: {},
      holdMs: SEAT_HOLD_MS,
    });
    return reservationFor(answer, players, signTicket(core.signer, claimsFor(answer, playerId)));
  };
  return {
    name: "meridian",
    file: "meridian-server.ts",
    ...(standby && { beside: [standby] }),
    async start(server) {
      const { current: credentials } = core.regionIdentity;
      const settings: NodeStart = { coreAddress: core.address, credentials };
      const addresses = await server.ask<NodeAddresses>("start", settings);
      // It grants seats once the first heartbeat was answered.
      await until(() => core.heartbeats.length > 1, "the node's heartbeats");
      return () => takeSeat(addresses);
    },
  };
}

export const bareUws: Contender = {
  name: "bareUws",
  file: "bare-uws-server.ts",
  async start(server) {
    const port = await server.ask<number>("start");
    let seats = 0;
    return async () => {
      seats += 1;
      const sessionId = `session-${String(seats).padStart(8, "0")}`;
      const publicAddress = `127.0.0.1:${port}`;
      return { name: GAME, roomId: "any", processId: "bare", sessionId, publicAddress };
    };
  },
};

export const colyseusWs: Contender = {
  name: "colyseusWs",
  file: "colyseus-ws-server.ts",
  async start(server) {
    const publicAddress = `127.0.0.1:${await server.ask<number>("start")}`;
    return async () => {
      const response = await fetch(`http://${publicAddress}/matchmake/joinOrCreate/${GAME}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      if (!response.ok) throw new Error(`Colyseus gives no seat: ${await response.text()}`);
      return { ...((await response.json()) as Omit<Seat, "publicAddress">), publicAddress };
    };
  },
};
