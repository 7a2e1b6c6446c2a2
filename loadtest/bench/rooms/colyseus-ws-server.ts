/** The peer: stock Colyseus on its own `ws` transport, with the same game in a plain room. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Client, LocalDriver, LocalPresence, Room, Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { answerParent } from "./answer-parent.ts";
import {
  enter,
  FieldState,
  GAME,
  leave,
  type Move,
  RATE_HZ,
  ROOM_SEATS,
  steer,
  TICK_MS,
  tick,
} from "./game.ts";
import { ownAccount, TickWatch } from "./server-child.ts";

/** Stock: it takes the client's word for the form of a message, which Meridian does not. */
class FieldRoom extends Room<{ state: FieldState }> {
  override maxClients = ROOM_SEATS;
  override patchRate = TICK_MS;
  override state = new FieldState();

  override messages = {
    move: (client: Client, move: Move) => steer(this.state, client.sessionId, move),
  };

  readonly #watch = new TickWatch();

  override onCreate(): void {
    this.setFixedTimestep(({ dtMs }) => {
      this.#watch.began();
      tick(this.state, dtMs);
    }, RATE_HZ);
  }

  override onJoin(client: Client): void {
    enter(this.state, client.sessionId);
  }

  override onLeave(client: Client): void {
    leave(this.state, client.sessionId);
  }
}

async function start(): Promise<number> {
  const http = createServer();
  const server = new Server({
    transport: new WebSocketTransport({ server: http }),
    presence: new LocalPresence(),
    driver: new LocalDriver(),
    greet: false,
    gracefullyShutdown: false,
  });
  server.define(GAME, FieldRoom);
  await server.listen(0, "127.0.0.1");
  return (http.address() as AddressInfo).port;
}

answerParent({ start, ...ownAccount });
