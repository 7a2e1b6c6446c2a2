/**
 * Answers where to send a caller of whom no more is known than the address and, at best, what it measured:
 * behind `/v1/route`, `/play` and the operators' `route`. A join ranks by the same rules and knows more: the
 * player's last region, friends and party.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { GameName, RegionId } from "../../shared/ids.ts";
import type { RoundTripsReport } from "../../shared/protocol/join.ts";
import type { ExplainedRegion, ExplainedRoute, RouteAnswer } from "../../shared/protocol/route.ts";
import { liveNodes, regionStateOf } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { RegionRecord } from "../regions/registry-step.ts";
import type { Candidates } from "./candidates.ts";
import { explain, roundedScore, tenths, verdict } from "./explain.ts";
import type { GeoLocator, Place } from "./geo-locator.ts";
import { whyNowhere } from "./nowhere.ts";
import { freshOnly, type Ranked, rank } from "./ranking.ts";

export interface RouterDeps {
  readonly registry: Registry;
  readonly candidates: Candidates;
  readonly locator: GeoLocator;
}

export interface RouteRequest {
  readonly address: string;
  readonly game?: GameName | undefined;
  /** The only region that the caller wants. */
  readonly region?: RegionId | undefined;
  readonly protocol?: number | undefined;
  readonly measured?: RoundTripsReport | undefined;
}

export interface Route {
  readonly place: Place;
  /** All regions, the best first. */
  readonly ranked: readonly Ranked[];
  /** Where no region has a seat, the one where the caller would wait; undefined when there is none either. */
  readonly best: RegionRecord | undefined;
}

export class Router {
  readonly #deps: RouterDeps;

  constructor(deps: RouterDeps) {
    this.#deps = deps;
  }

  /** Numbers only. @throws {MeridianError} `unknown_region` */
  route(request: RouteRequest): Route {
    const { registry, candidates, locator } = this.#deps;
    const { address, game, region, protocol, measured = {} } = request;
    if (region !== undefined && !registry.region(region)) throw new MeridianError("unknown_region");
    const place = locator.locate(address);
    const { roundTripsMs, unanswered } = freshOnly(measured, measured.roundTripsAgeMs ?? 0);
    const wish = { place, only: region, roundTripsMs, unanswered };
    const open = rank(candidates.for({ game, protocol }), wish);
    // Where every seat is taken the queue is as good as open: the player is let in from there in turn.
    const ranked = open[0]?.eligible ? open : rank(candidates.waitable({ game, protocol }), wish);
    const [first] = ranked;
    const best = first?.eligible ? registry.region(first.candidate.regionId) : undefined;
    return { place, ranked, best };
  }

  /** The best region. @throws {MeridianError} why there is none */
  best(request: RouteRequest): RegionRecord {
    const { best } = this.route(request);
    if (!best) throw this.#whyNowhere(request);
    return best;
  }

  /** For programs. @throws {MeridianError} why no region is eligible */
  answer(request: RouteRequest): RouteAnswer {
    const { place, ranked, best } = this.route(request);
    if (!best) throw this.#whyNowhere(request);
    return { place, ...destination(best), ranking: ranked.map(inNumbers) };
  }

  /**
   * For people: also when no region is eligible, since each says why.
   * @throws {MeridianError} `unknown_region`, `unknown_game`
   */
  explain(request: RouteRequest): ExplainedRoute {
    const { place, ranked, best } = this.route(request);
    const failure = best ? undefined : this.#whyNowhere(request);
    if (failure?.kind === "unknown_game") throw failure;
    const asked = { place, only: request.region };
    const winner = best && ranked[0];
    const ranking = ranked.flatMap((one): ExplainedRegion[] => {
      const region = this.#deps.registry.region(one.candidate.regionId);
      if (!region) return [];
      const { name, latitude, longitude } = region.spec;
      return [
        {
          ...inNumbers(one),
          name,
          latitude,
          longitude,
          state: regionStateOf(region),
          basis: one.basis,
          km: Math.round(one.km),
          latencyMs: tenths(one.latencyMs),
          loadMs: tenths(one.loadMs),
          homeMs: one.homeMs,
          friendsMs: one.friendsMs,
          full: one.candidate.full,
          reasons: explain(one, asked).reasons,
          verdict: verdict(one, winner, asked),
        },
      ];
    });
    return { place, ...destination(best), ranking, reason: failure?.message ?? null };
  }

  #whyNowhere({ game, protocol, region }: RouteRequest): MeridianError {
    return whyNowhere(this.#deps.registry.regions(), { game, protocol, only: region });
  }
}

function destination(best: RegionRecord | undefined) {
  const [node] = best ? liveNodes(best) : [];
  return {
    regionId: best?.spec.id ?? null,
    publicAddress: node?.heartbeat.publicAddress ?? null,
  };
}

function inNumbers({ candidate, eligible, roundTripMs, score }: Ranked) {
  const { regionId } = candidate;
  return {
    regionId,
    eligible,
    roundTripMs: tenths(roundTripMs),
    score: eligible ? roundedScore(score) : null,
  };
}
