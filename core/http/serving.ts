/**
 * A server as a part of the process: listens at start, lets calls that are under way finish at a
 * drain, and closes at stop.
 */
import type { AddressInfo } from "node:net";
import type { Clock } from "../../shared/clock.ts";
import { sleep } from "../../shared/clock.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { RequestCaps } from "./request-caps.ts";

const DRAIN_MS = 3_000;
const POLL_MS = 20;
/** Connections that wait to be accepted; a system has its own limit besides (Linux: somaxconn, 4096). */
const BACKLOG_MAX = 4_096;

export interface ServingOptions {
  readonly name: string;
  readonly server: HttpServer;
  /** None where all routes must always answer. */
  readonly caps?: RequestCaps;
  readonly host: string;
  readonly port: number;
  /** The setting that chose the port, for the message when it is taken. */
  readonly portSetting: string;
  readonly clock: Clock;
  /** Adds the routes; plugins load before the server listens. */
  readonly prepare?: (server: HttpServer) => Promise<void> | void;
}

export class Serving implements Part {
  readonly name: string;
  readonly #options: ServingOptions;
  #underWay = 0;
  #serving = false;

  constructor(options: ServingOptions) {
    this.name = options.name;
    this.#options = options;
    // Before there is any route.
    options.caps?.guard(options.server);
    options.server.addHook("onRequest", async (_request, reply) => {
      this.#underWay += 1;
      // Emitted exactly once, whether the answer was sent or the caller went away.
      reply.raw.once("close", () => {
        this.#underWay -= 1;
      });
    });
  }

  async start(): Promise<void> {
    const { server, host, port, portSetting, prepare } = this.#options;
    await prepare?.(server);
    try {
      await server.listen({ host, port, backlog: BACKLOG_MAX });
      this.#serving = true;
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
      if (code !== "EADDRINUSE") throw cause;
      throw new Error(`port ${port} on ${host} is in use: set ${portSetting}`, { cause });
    }
  }

  async drain(): Promise<void> {
    this.#serving = false;
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + DRAIN_MS;
    while (this.#underWay > 0 && clock.monotonicMs() < endMs) await sleep(clock, POLL_MS);
  }

  async stop(): Promise<void> {
    await this.#options.server.close();
  }

  /** For tests, which look at its routes. */
  get server(): HttpServer {
    return this.#options.server;
  }

  /** Whether it listens and is not about to stop. */
  get serving(): boolean {
    return this.#serving;
  }

  /** The port that it listens on. */
  get port(): number {
    const address: AddressInfo | string | null = this.#options.server.server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return address.port;
  }
}
