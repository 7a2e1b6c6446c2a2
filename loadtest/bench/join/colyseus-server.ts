/** The process of stock Colyseus: a plain room with the arena's state, rules, size and rates. */
import { type Client, Room, Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import * as rules from "../../../region/games/arena/arena-rules.ts";
import { ArenaState } from "../../../region/games/arena/arena-state.ts";

const TICK_MS = 50;
const PLAYERS_MAX = 50;

/** Said to the benchmark once it listens. */
export interface ColyseusReady {
  readonly port: number;
}

class PlainArena extends Room<{ state: ArenaState }> {
  override maxClients = PLAYERS_MAX;
  override state = new ArenaState();
  #entities = 0;

  readonly #chance: rules.Chance = {
    random: Math.random,
    nextEntityId: () => {
      this.#entities += 1;
      return `e${this.#entities}`;
    },
  };

  override onCreate(): void {
    rules.beginRound(this.state, 1);
    this.setSimulationInterval((dtMs) => rules.tick(this.state, dtMs, this.#chance), TICK_MS);
    this.clock.setInterval(() => this.#second(), 1_000);
  }

  override onJoin(client: Client): void {
    rules.enter(this.state, client.sessionId, "Ada", this.#chance);
  }

  override onLeave(client: Client): void {
    rules.leave(this.state, client.sessionId, this.#chance);
  }

  #second(): void {
    const { state } = this;
    state.secondsLeft -= 1;
    if (state.secondsLeft > 0) return;
    if (state.phase === "play") rules.endRound(state);
    else rules.beginRound(state, state.round + 1);
  }
}

const transport = new WebSocketTransport();
const server = new Server({ transport, greet: false });
server.define("arena", PlainArena);
await server.listen(0, "127.0.0.1");
const address = transport.server?.address();
const port = typeof address === "object" && address !== null ? address.port : 0;
const ready: ColyseusReady = { port };
process.send?.(ready);
