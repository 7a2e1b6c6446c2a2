/**
 * At most so many requests of a route under way; the next is answered `unavailable` with `Retry-After`,
 * before its body is read. So a flood at one route costs the others neither memory nor connections to the
 * database: what it may hold of those is bounded, and a refusal takes 0.1 ms of a core.
 *
 * A route says in its `config` under which cap it counts. One that says nothing has a cap of its own, by
 * its method and path. Routes that share a cap are those of which a flood at one may refuse the others.
 *
 * A request counts from when its body has arrived until its answer is made, also when its caller has gone
 * away by then; not while the body arrives: a few connections that send slowly would close the route to
 * everybody. Those are bounded by the number of connections and by the time for a request.
 */
import type { RouteOptions } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "./log-pace.ts";

const RETRY_AFTER_MS = 1_000;

/** Caps that are not a single route's; how large each is says `core/request-limits.ts`. */
export type SharedCap =
  | "log_ins"
  | "passwords"
  | "refreshes"
  | "token_calls"
  | "joins"
  | "polls"
  | "streams"
  | "returns"
  | "purchases"
  | "files"
  | "heartbeats"
  | "loads";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The cap of its requests; `none` is for what must always answer. */
    readonly cap?: SharedCap | "none";
    /** What this file makes of it. */
    readonly cappedBy?: string;
  }
}

export interface RequestLimits {
  /** Requests under way, by cap. */
  readonly shared: Partial<Record<SharedCap, number>>;
  /** Of each route that names no cap. */
  readonly others: number;
}

type Route = Pick<RouteOptions, "method" | "url" | "config">;

interface Cap {
  readonly name: string;
  readonly underWayMax: number;
  underWay: number;
}

export interface RequestCapsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CapMetrics;
}

/** Of all servers of a process. */
export interface CapMetrics {
  readonly refused: Counter<"server" | "route">;
  /** By server. */
  readonly caps: Map<string, ReadonlyMap<string, Cap>>;
}

export function capMetrics(metrics: Metrics): CapMetrics {
  const caps: CapMetrics["caps"] = new Map();
  new Gauge({
    name: "meridian_requests_by_cap",
    help: "Requests that are under way, by what caps them.",
    labelNames: ["server", "cap"],
    registers: [metrics],
    collect() {
      for (const [server, own] of caps) {
        for (const { name, underWay } of own.values()) this.set({ server, cap: name }, underWay);
      }
    },
  });
  const refused = new Counter({
    name: "meridian_requests_capped_total",
    help: "Requests that were refused because too many under the same cap were under way.",
    labelNames: ["server", "route"],
    registers: [metrics],
  });
  return { refused, caps };
}

export class RequestCaps {
  readonly #server: string;
  readonly #limits: RequestLimits;
  readonly #options: RequestCapsOptions;
  readonly #caps = new Map<string, Cap>();
  readonly #pace = new LogPace();

  /** @param server for the metrics, for example `public` */
  constructor(server: string, limits: RequestLimits, options: RequestCapsOptions) {
    this.#server = server;
    this.#limits = limits;
    this.#options = options;
    options.metrics.caps.set(server, this.#caps);
  }

  /** Caps every route that is added from now on. */
  guard(server: HttpServer): void {
    server.addHook("onRoute", (route) => {
      const { handler, onRequest, config } = route;
      if (config?.cap === "none") return;
      const name = nameOf(route);
      const cap = this.#capOf(route);
      const count = (work: () => unknown) => this.#count(cap, name, work);
      const refuse = async () => {
        if (cap.underWay >= cap.underWayMax) throw this.#refusal(cap, name);
      };
      // Behind the others: headers for browsers are set by then, and strangers are refused.
      route.onRequest = [onRequest ?? [], refuse].flat();
      route.handler = function (request, reply) {
        return count(() => handler.call(this, request, reply));
      };
      // For tests, which look whether a route has one.
      route.config = { ...config, cappedBy: cap.name };
    });
  }

  #capOf(route: Route): Cap {
    const shared = capNamedBy(route);
    const name = shared ?? nameOf(route);
    const known = this.#caps.get(name);
    if (known) return known;
    const { shared: limits, others } = this.#limits;
    const underWayMax = shared === undefined ? others : limits[shared];
    if (underWayMax === undefined) throw new Error(`the server has no cap "${shared}"`);
    const cap = { name, underWayMax, underWay: 0 };
    this.#caps.set(name, cap);
    return cap;
  }

  #count(cap: Cap, route: string, work: () => unknown): unknown {
    if (cap.underWay >= cap.underWayMax) throw this.#refusal(cap, route);
    const answer = work();
    if (!isThenable(answer)) return answer;
    cap.underWay += 1;
    return Promise.resolve(answer).finally(() => {
      cap.underWay -= 1;
    });
  }

  #refusal(cap: Cap, route: string): MeridianError {
    const { clock, log, metrics } = this.#options;
    const server = this.#server;
    metrics.refused.inc({ server, route });
    const held = this.#pace.permit(clock.monotonicMs());
    if (held !== undefined) {
      const { name, underWayMax } = cap;
      const details = { server, route, cap: name, underWayMax, held };
      log.warn({ ...details, runbook: "core-calls-refused" }, "too many requests are under way");
    }
    return new MeridianError("unavailable", {
      message: "Too many such requests are under way at this moment.",
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
}

function capNamedBy({ config, url }: Route): SharedCap | undefined {
  const named = config?.cap === "none" ? undefined : config?.cap;
  // The plugins that serve folders make their routes themselves.
  return named ?? (url.endsWith("*") ? "files" : undefined);
}

/** Fastify's own `HEAD` beside a `GET` counts with it. */
function nameOf({ method, url }: Route): string {
  const methods = [method].flat().map((one) => (one === "HEAD" ? "GET" : one));
  return `${[...new Set(methods)].join(",")} ${url}`;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}
