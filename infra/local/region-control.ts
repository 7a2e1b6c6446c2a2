/**
 * Lets the page of a local world kill the region that one plays in, and start it again: what a lost region is like
 * should be a click away. No other world has this.
 *
 * It listens on this machine only. A call needs a token that is made anew with each world and that its page reads from
 * a file beside itself, and must come from that page: a foreign one can neither read the file nor pass for it.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Cancel, type Clock, systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { PRIVATE_HOST } from "./addresses.ts";
import type { ProcessHandle } from "./processes.ts";
import type { Report } from "./status.ts";
import type { WorldParts } from "./world-parts.ts";

/** How long a killed region stays away, unless it is started sooner. */
export const AWAY_MS = 20_000;
/** Beside the pages. */
export const CONTROL_FILE = "local.json";
const TOKEN_BYTES = 32;
const PATH = /^\/regions\/([a-z0-9-]{1,64})\/(kill|start)$/;

type Part = Pick<ProcessHandle, "knockOut" | "restart">;

export interface RegionParts {
  /** Undefined when it is the user's own. */
  readonly redis: Part | undefined;
  readonly nodes: readonly Part[];
}

export interface RegionControlOptions {
  /** Of the pages that may call. */
  readonly origins: readonly string[];
  readonly partsOf: (id: RegionId) => RegionParts | undefined;
  readonly clock: Clock;
  readonly report: Report;
}

/** Runs until the world stops. */
export async function startRegionControl({
  parts,
  ...options
}: Pick<RegionControlOptions, "origins" | "partsOf"> & {
  readonly parts: WorldParts;
}): Promise<RegionControl> {
  const control = new RegionControl({ ...options, clock: systemClock, report: parts.report });
  await control.start();
  parts.onStop(() => control.stop());
  return control;
}

export class RegionControl {
  readonly #options: RegionControlOptions;
  readonly #token = randomBytes(TOKEN_BYTES).toString("base64url");
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #returns = new Map<RegionId, Cancel>();

  constructor(options: RegionControlOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, PRIVATE_HOST, resolve);
    });
  }

  stop(): void {
    for (const cancel of this.#returns.values()) cancel();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Tells the pages in this folder where to call. */
  tell(webDir: string): void {
    const { port } = this.#server.address() as AddressInfo;
    const url = `http://${PRIVATE_HOST}:${port}`;
    writeFileSync(join(webDir, CONTROL_FILE), JSON.stringify({ url, token: this.#token }));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { origin = "", authorization = "" } = request.headers;
    if (!this.#options.origins.includes(origin)) return end(response, 403);
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-allow-headers", "authorization");
    response.setHeader("access-control-allow-methods", "POST");
    if (request.method === "OPTIONS") return end(response, 204);
    if (request.method !== "POST") return end(response, 405);
    if (!isEqual(authorization, `Bearer ${this.#token}`)) return end(response, 401);
    const [, name, what] = PATH.exec(request.url ?? "") ?? [];
    const id = RegionId.safeParse(name);
    const parts = id.success ? this.#options.partsOf(id.data) : undefined;
    if (!id.success || !parts) return end(response, 404);
    if (what === "kill") return end(response, 200, this.#kill(id.data, parts));
    try {
      await this.#bringBack(id.data, parts);
      end(response, 200, {});
    } catch (error) {
      end(response, 500, { message: error instanceof Error ? error.message : String(error) });
    }
  }

  #kill(id: RegionId, parts: RegionParts): { readonly backInMs: number } {
    const { clock, report } = this.#options;
    report(`✗ region ${id} is killed by the page, for ${AWAY_MS / 1_000} s`);
    // The nodes first: with their Redis gone they might still say goodbye.
    for (const part of [...parts.nodes, ...(parts.redis ? [parts.redis] : [])]) part.knockOut();
    this.#returns.get(id)?.();
    const bringBack = () => {
      this.#bringBack(id, parts).catch((error: unknown) => report(`✗ region ${id}: ${error}`));
    };
    this.#returns.set(id, clock.after(AWAY_MS, bringBack));
    return { backInMs: AWAY_MS };
  }

  async #bringBack(id: RegionId, { redis, nodes }: RegionParts): Promise<void> {
    this.#returns.get(id)?.();
    this.#returns.delete(id);
    await redis?.restart();
    await Promise.all(nodes.map((node) => node.restart()));
    this.#options.report(`✓ region ${id} is back`);
  }
}

function end(response: ServerResponse, status: number, body?: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body && JSON.stringify(body));
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
