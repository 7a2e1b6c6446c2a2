/** For tests: a player in a room of a test node, without a socket, whose frames are put in by hand. */
import { connectClientToRoom } from "@colyseus/core";
import { Registry } from "prom-client";
import type { Clock } from "../../shared/clock.ts";
import { createLog } from "../../shared/log.ts";
import { backlogOf } from "./backlog.ts";
import { Connection } from "./connection.ts";
import { RoomClient } from "./room-client.ts";
import type { TestNode } from "./test-node.ts";
import { TransportMetrics } from "./transport-metrics.ts";
import type { UwsSocket } from "./uws.ts";

const limits = { messagesPerSecondMax: 60, frameBytesMax: 16_384 };
const log = createLog("region", "silent");

/** Everything that bare connections share. */
export class BareConnections {
  readonly #node: TestNode;
  readonly #clock: Clock;
  readonly #metrics = new TransportMetrics(new Registry(), {
    connections: () => 0,
    backlog: () => backlogOf([], 1),
  });

  /** @param clock what the limit of messages is measured by */
  constructor(node: TestNode, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  /** Takes a seat and joins; the join is not acknowledged yet. */
  async enter(game: string): Promise<Connection> {
    const { ledger, rooms } = this.#node;
    const { roomId, sessionId } = await this.#node.reserve(game);
    const playerId = this.#node.playerOf(sessionId);
    ledger.arrived({ sessionId, playerId, sessionEpoch: [1, 1] }, roomId);
    const socket = new ReadingSocket();
    const connection = new Connection({
      socket: socket as unknown as UwsSocket<unknown>,
      clock: this.#clock,
      limits,
      metrics: this.#metrics,
      log,
      about: { roomId, sessionId },
    });
    socket.ended = (code) => connection.closed(code);
    const client = new RoomClient({
      sessionId,
      reconnectionToken: sessionId.padEnd(32, "-"),
      connection,
      resumed: false,
      waitingBytesMax: 262_144,
    });
    await connectClientToRoom(rooms.find(roomId), client, { headers: new Headers(), ip: "" }, {});
    return connection;
  }
}

/** Reads at once whatever is sent, and closes when it is told to. */
class ReadingSocket {
  ended: (code: number) => void = () => {};

  send(): number {
    return 1;
  }

  getBufferedAmount(): number {
    return 0;
  }

  end(code: number): void {
    queueMicrotask(() => this.ended(code));
  }

  close(): void {
    this.end(1006);
  }
}
