/**
 * `GET /play`: leads a browser to the page of the region that is best for it. One link for everybody, on
 * posters and in mails.
 *
 * The region's own front (`playUrl` of the topology) or else the core's page decides the host; the request
 * only adds its query. So nobody can make this a link to somewhere else.
 */
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { isFailure, type MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { RouteQuery } from "../../shared/protocol/route.ts";
import { failures } from "../http/failures.ts";
import type { RegionSpec } from "../regions/topology.ts";
import type { RouteMetrics } from "./route-metrics.ts";
import type { Router } from "./router.ts";

/** Room for an invitation and a campaign's marks. */
const QUERY_CHARACTERS_MAX = 1_024;
/** Never read: only the query of what is made from it is used. */
const ANY_BASE = "http://core.invalid";

/** The other parameters are the page's, and go with the player. */
const PlayQuery = RouteQuery.pick({ game: true, region: true });

export interface PlayRouteDeps {
  readonly router: Router;
  readonly metrics: RouteMetrics;
}

export function addPlayRoutes(server: HttpServer, { router, metrics }: PlayRouteDeps): void {
  server.get(
    "/play",
    {
      schema: {
        tags: ["joining"],
        summary: "Leads a browser to the page of the best region",
        querystring: PlayQuery,
        response: {
          302: z.null().describe("Without a body; `location` is the page."),
          ...failures("unknown_game", "unknown_region", "no_region", "region_full", "overloaded"),
        },
      },
      // Before the query is parsed, so that a failure is not kept by a cache either.
      async onRequest(_request, reply) {
        void reply.header("cache-control", "private, no-store");
        void reply.header("vary", "origin, x-forwarded-for, accept");
      },
    },
    async (request, reply) => {
      const { game, region } = request.query;
      try {
        const wish = { address: request.ip, game, region };
        const { spec } = metrics.counted("play", () => router.best(wish));
        return await lead(reply, pageOf(spec, request.url));
      } catch (error) {
        const wantsPage = request.headers.accept?.includes("text/html") ?? false;
        if (!isFailure(error) || !wantsPage) throw error;
        return await sendPage(reply, error);
      }
    },
  );
}

function lead(reply: FastifyReply, page: string): FastifyReply {
  return reply.redirect(page, 302);
}

/**
 * Where players of the region go.
 * @param url of the request; its query goes along, but for what the region's own page has set
 */
export function pageOf({ id, playUrl }: Pick<RegionSpec, "id" | "playUrl">, url: string): string {
  const given = new URL(url, ANY_BASE).search;
  const page = new URL(playUrl ?? "/", ANY_BASE);
  const own = new Set(page.searchParams.keys());
  // A query that long is of no page of ours.
  const asked = given.length <= QUERY_CHARACTERS_MAX ? new URLSearchParams(given) : [];
  for (const [name, value] of asked) {
    if (name !== "region" && !own.has(name)) page.searchParams.append(name, value);
  }
  if (playUrl !== undefined) return page.href;
  page.searchParams.set("region", id);
  return `/${page.search}`;
}

/** For people: a page instead of JSON. */
function sendPage(reply: FastifyReply, failure: MeridianError): FastifyReply {
  const seconds = Math.ceil((failure.retryAfterMs ?? 0) / 1_000);
  if (seconds > 0) void reply.header("retry-after", seconds);
  const again = failure.retryable
    ? "<p>Please try again in a moment: reload this page.</p>"
    : "<p>Please check the link that led you here.</p>";
  return reply
    .status(failure.status)
    .type("text/html; charset=utf-8")
    .send(
      `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
        `<title>No place to play</title><style>body{font:1.1rem/1.5 system-ui;max-width:34rem;margin:15vh auto;` +
        `padding:0 1rem;color-scheme:light dark}</style><h1>No place to play</h1>` +
        `<p>${escaped(failure.message)}</p>${again}</html>`,
    );
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
