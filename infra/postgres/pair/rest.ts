/**
 * Tells of each member what Patroni's REST API would, so that the health checks of production's HAProxy are the
 * ones that run here: 200 when the member is what is asked for, 503 when it is not. On this machine only.
 *
 * `/primary` is 200 once the primary serves and the core's term was raised, and on one member at a time.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { MEMBERS, type MemberName } from "./mark.ts";
import type { MemberStatus } from "./member-status.ts";
import type { Pair } from "./pair.ts";
import { PAIR_NAMES } from "./pair-names.ts";

const HOST = "127.0.0.1";
const LAG_MAX_BYTES = 16 * 1024 * 1024;
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
};

export class PairRest {
  readonly #pair: Pair;
  readonly #ports: Readonly<Record<MemberName, number>>;
  /** How often each was asked whether it is the primary. */
  readonly #asked: Record<MemberName, number> = { a: 0, b: 0 };
  #servers: readonly Server[] = [];

  constructor(pair: Pair, ports: Readonly<Record<MemberName, number>>) {
    this.#pair = pair;
    this.#ports = ports;
  }

  async start(): Promise<void> {
    this.#servers = MEMBERS.map((name) =>
      createServer((request, response) => void this.#answer(name, request, response)),
    );
    await Promise.all(
      MEMBERS.map(
        (name, index) =>
          new Promise<void>((resolve, reject) => {
            const server = this.#servers[index];
            server?.once("error", reject);
            server?.listen(this.#ports[name], HOST, resolve);
          }),
      ),
    );
  }

  stop(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  /**
   * Tells, from now on, whether somebody who asks again and again knows which one is the primary: the second
   * question comes after the first answer was taken in.
   */
  whenKnown(): () => boolean {
    const before = { ...this.#asked };
    return () => MEMBERS.every((name) => this.#asked[name] >= before[name] + 2);
  }

  async #answer(name: MemberName, request: IncomingMessage, response: ServerResponse) {
    const { method = "", url = "" } = request;
    if (!["GET", "HEAD", "OPTIONS"].includes(method)) return end(response, 405);
    const { pathname, searchParams } = new URL(url, `http://${HOST}`);
    if (pathname === "/metrics") {
      const { metrics } = this.#pair;
      response.writeHead(200, { "content-type": metrics.contentType });
      return response.end(await metrics.metrics());
    }
    if (pathname === "/primary") this.#asked[name] += 1;
    const status = this.#pair.statusOf(name);
    const isIt = answerTo(pathname, status, searchParams.get("lag"));
    if (isIt === undefined) return end(response, 404);
    end(response, isIt ? 200 : 503, this.#body(name, status));
  }

  #body(name: MemberName, { role, state, timeline, walBytes, isSync }: MemberStatus): object {
    const xlog = role === "primary" ? { location: walBytes } : { replayed_location: walBytes };
    return {
      state,
      role,
      ...(timeline !== undefined && { timeline }),
      ...(walBytes !== undefined && { xlog }),
      ...(isSync && { sync_standby: true }),
      patroni: { name: PAIR_NAMES.applicationOf(name), scope: "meridian" },
    };
  }
}

/** Whether the member is what the path asks for; undefined for a path that is none. */
export function answerTo(
  path: string,
  status: MemberStatus,
  lag: string | null,
): boolean | undefined {
  const { role, state, announced, isSync } = status;
  const runs = state === "running";
  switch (path) {
    case "/":
    case "/primary":
    case "/leader":
    case "/read-write":
      return role === "primary" && announced;
    case "/replica":
      return runs && role === "replica" && (status.lagBytes ?? Infinity) <= bytesOf(lag);
    case "/synchronous":
    case "/sync":
      return runs && role === "replica" && isSync;
    case "/asynchronous":
    case "/async":
      return runs && role === "replica" && !isSync;
    case "/health":
      return runs;
    case "/liveness":
    case "/patroni":
      return true;
    default:
      return undefined;
  }
}

/** `1048576`, `16kB`, `64MB`: as Patroni takes it; what is none of these counts as its default. */
function bytesOf(lag: string | null): number {
  const [, number = "", unit = ""] = /^(\d+) *([a-z]*)$/i.exec(lag ?? "") ?? [];
  const size = UNITS[unit.toLowerCase()];
  return number === "" || size === undefined ? LAG_MAX_BYTES : Number(number) * size;
}

function end(response: ServerResponse, status: number, body?: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body && JSON.stringify(body));
}
