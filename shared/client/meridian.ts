/**
 * The client of Meridian, for browsers and Node alike.
 *
 *     const meridian = new Meridian({ url: "http://127.0.0.1:7300" });
 *     await meridian.logIn({ name: "Ada" });
 *     const play = await meridian.join<ArenaState>("arena");
 *     play.onConnection((connection) => …);
 *     play.send("move", { x: 1, y: 0 });
 *
 * Every failure is a `MeridianError`: branch on its `kind`. Every call has a deadline, every retry a
 * budget.
 */
import { z } from "zod";
import { type Clock, systemClock } from "../clock.ts";
import { isFailure, MeridianError } from "../errors.ts";
import { JoinAnswer, JoinOutcome, type JoinRequest, RegionsAnswer } from "../protocol/join.ts";
import { ExplainedRoute } from "../protocol/route.ts";
import { Possessions } from "../protocol/value.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { Account, type Player } from "./account.ts";
import { Api, type Fetch } from "./api.ts";
import type { RetryBudget } from "./backoff.ts";
import { FRESH_MS, type FullReport, Measurements } from "./measurements.ts";
import type { JoinOptions, MeridianOptions, RouteOptions } from "./options.ts";
import { Play } from "./play.ts";
import type { KeptPlace } from "./play-options.ts";
import { type Measured, measureRoundTrips } from "./round-trips.ts";
import { SeatTaker } from "./seat-taker.ts";
import { type KeyValueStorage, pickStorage, tolerant } from "./storage.ts";
import { Waiting } from "./waiting.ts";

/** The core waits 4 s for a room that is on its way, and then asks its node for the seat. */
const COME_BACK_DEADLINE_MS = 7_000;
const LOG_IN_BUDGET: RetryBudget = { attemptsMax: 5, totalMs: 15_000 };

export class Meridian {
  readonly #api: Api;
  readonly #account: Account;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #fetch: Fetch;
  readonly #secure: boolean;
  readonly #storage: KeyValueStorage;
  readonly #measurements: Measurements;

  constructor(options: MeridianOptions) {
    const { url, remember = false, clock = systemClock, random = Math.random } = options;
    const storage = options.storage ? tolerant(options.storage) : pickStorage(remember);
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#api = new Api(url, this.#fetch);
    this.#secure = new URL(url).protocol === "https:";
    this.#clock = clock;
    this.#random = random;
    this.#storage = storage;
    this.#account = new Account({
      api: this.#api,
      storage,
      shared: remember || options.storage !== undefined,
      budget: options.logInBudget ?? LOG_IN_BUDGET,
      clock,
      random,
    });
    const measure = () => this.#measure();
    this.#measurements = new Measurements({ core: url, storage, clock, measure });
  }

  get player(): Player | undefined {
    return this.#account.player;
  }

  /** Logs in as this tab's guest, made if there is none yet. */
  logIn({ name }: { readonly name?: string } = {}): Promise<Player> {
    return this.#account.logIn(name);
  }

  /** Makes an account with an address and a password, and logs in. */
  register(email: string, password: string): Promise<Player> {
    return this.#account.logInWithEmail(email, password, true);
  }

  logInWithEmail(email: string, password: string): Promise<Player> {
    return this.#account.logInWithEmail(email, password);
  }

  /** Keeps everything of the guest who plays, under an address from now on. */
  linkEmail(email: string, password: string): Promise<void> {
    return this.#account.linkEmail(email, password);
  }

  requestPasswordReset(email: string): Promise<void> {
    return this.#account.requestPasswordReset(email);
  }

  /** What the player owns: balances and items. */
  possessions(): Promise<Possessions> {
    return this.#account.authorized((accessToken) =>
      this.#api.call({
        method: "GET",
        path: "/v1/me/possessions",
        schema: Possessions,
        accessToken,
      }),
    );
  }

  rename(name: string): Promise<void> {
    return this.#account.rename(name);
  }

  /** Where one could play, and who is there. */
  regions(): Promise<RegionsAnswer> {
    return this.#api.call({ method: "GET", path: "/v1/regions", schema: RegionsAnswer });
  }

  /**
   * Round trips to the nearest regions that answer, in ms. A join needs no call of it: it measures
   * by itself.
   * @param maxAgeMs how old a measurement may be to be used again
   * @throws {MeridianError} when the core does not tell what to measure
   */
  async measureRegions({ maxAgeMs = FRESH_MS } = {}): Promise<Record<string, number>> {
    return (await this.#measurements.newerThan(maxAgeMs)).roundTripsMs;
  }

  /**
   * Tells the core this player's round trips, so that the leader of their party can join for all.
   * @param party the ids of the others, 15 at most: they may join for this player, and nobody else may
   * @throws {MeridianError} `unauthorized` for who is not logged in
   */
  async reportRoundTrips(party: readonly string[]): Promise<void> {
    await this.#account.authorized(async (accessToken) =>
      this.#api.call({
        method: "PUT",
        path: "/v1/me/round-trips",
        body: { ...(await this.#measurements.forJoin()), party: [...party] },
        schema: z.undefined(),
        accessToken,
      }),
    );
  }

  /**
   * To which region a join would lead from here, and why; `regionId` is null where there is none. Needs
   * no log-in, and so knows nothing of the player's last region, friends and party.
   * @throws {MeridianError} `unknown_game`, `unknown_region`
   */
  async route({ game, region, measured = true }: RouteOptions = {}): Promise<ExplainedRoute> {
    const wish = { explain: "1", protocol: `${PROTOCOL_VERSION}` };
    const query = new URLSearchParams({
      ...wish,
      ...(game && { game }),
      ...(region && { region }),
    });
    const body = (measured && (await this.#reportOrNone())) || {};
    return this.#api.call({
      method: "POST",
      path: `/v1/route?${query}`,
      body,
      schema: ExplainedRoute,
    });
  }

  /**
   * Joins a game, as a guest if nobody is logged in. Resolves once the room's state is there, after a wait in
   * a queue where every seat is taken. A place that a former page of this tab had is taken up again.
   * @throws {MeridianError} why there is no room; `queue_full` when there is no place to wait either
   */
  async join<State>(game: string, options: JoinOptions = {}): Promise<Play<State>> {
    const seats = new SeatTaker({
      join: (request) => this.#join(request),
      renew: (request) =>
        this.#seatFrom("/v1/join/renew", { ...request, ...this.#measurements.known() }),
      prepare: options.prepare,
      clock: this.#clock,
    });
    const waiting = new Waiting({
      api: this.#api,
      clock: this.#clock,
      storage: this.#storage,
      game,
      playerId: () => this.player?.playerId,
    });
    const play = new Play<State>({
      clock: this.#clock,
      random: this.#random,
      scheme: this.#secure ? "wss:" : "ws:",
      waiting,
      onConnection(connection, arrival) {
        if (connection.phase === "playing") seats.arrived();
        options.onConnection?.(connection, arrival);
      },
      join: async (avoid) => {
        const request = await this.#requestFor(game, elsewhere(options, avoid));
        const { token } = waiting;
        return seats.take({ ...request, ...(token !== undefined && { queueToken: token }) });
      },
      comeBack: (place) => this.#comeBack(place),
    });
    const { signal } = options;
    const leave = () => void play.leave();
    signal?.addEventListener("abort", leave);
    try {
      if (signal?.aborted) throw new MeridianError("caller_gone");
      await play.rejoin();
      return play;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  async #requestFor(game: string, options: JoinOptions): Promise<JoinRequest> {
    const { region, avoid, mode, roomId, friends, party, mayQueue = true } = options;
    // The first measuring takes as long as the way to the farthest region: side by side with the log-in.
    const [report] = await Promise.all([this.#reportOrNone(), this.player ?? this.logIn()]);
    return {
      game,
      options: options.options ?? {},
      protocol: PROTOCOL_VERSION,
      ...report,
      ...(mayQueue && { mayQueue }),
      ...(region && { region }),
      ...(avoid && { avoid: [...avoid] }),
      ...(mode && { mode }),
      ...(roomId && { roomId }),
      ...(friends && { friends: [...friends] }),
      ...(party && { party: [...party] }),
    };
  }

  #join(body: JoinRequest): Promise<JoinOutcome> {
    const call = { method: "POST", path: "/v1/join", body, schema: JoinOutcome } as const;
    return this.#account.authorized((accessToken) => this.#api.call({ ...call, accessToken }));
  }

  /** Without measurements the core ranks by distance: no reason not to join. */
  async #reportOrNone(): Promise<FullReport | undefined> {
    try {
      return await this.#measurements.forJoin();
    } catch (error) {
      if (isFailure(error)) return undefined;
      throw error;
    }
  }

  async #measure(): Promise<Measured> {
    const { regions } = await this.regions();
    return measureRoundTrips(regions, {
      fetch: this.#fetch,
      openSocket: "WebSocket" in globalThis ? (url) => new WebSocket(url) : undefined,
      draws: "document" in globalThis,
      secure: this.#secure,
      clock: this.#clock,
    });
  }

  #comeBack({ roomId, token, unreachable }: KeptPlace): Promise<JoinAnswer> {
    return this.#api.call({
      method: "POST",
      path: "/v1/reconnect",
      body: {
        roomId,
        reconnectionToken: token,
        protocol: PROTOCOL_VERSION,
        ...(unreachable !== undefined && { unreachable }),
      },
      schema: JoinAnswer,
      deadlineMs: COME_BACK_DEADLINE_MS,
    });
  }

  #seatFrom(path: string, body: object): Promise<JoinAnswer> {
    return this.#api.call({ method: "POST", path, body, schema: JoinAnswer });
  }
}

/** For a player who can't reach the region that their room is in: any other room, wherever else one can play. */
function elsewhere(options: JoinOptions, avoid: string | undefined): JoinOptions {
  if (avoid === undefined) return options;
  const { region: _, roomId: __, mode, ...others } = options;
  return { ...others, mode: mode === "create" ? mode : "joinOrCreate", avoid: [avoid] };
}
