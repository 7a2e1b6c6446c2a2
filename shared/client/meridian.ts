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
import { type Clock, systemClock } from "../clock.ts";
import { MeridianError } from "../errors.ts";
import { JoinAnswer, type JoinMode, type JoinRequest, RegionsAnswer } from "../protocol/join.ts";
import { Possessions } from "../protocol/value.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { Account, type Player } from "./account.ts";
import { Api, type Fetch } from "./api.ts";
import type { RetryBudget } from "./backoff.ts";
import type { Connection } from "./connection.ts";
import { Play } from "./play.ts";
import { measureRoundTrips } from "./round-trips.ts";
import { SeatTaker } from "./seat-taker.ts";
import { type KeyValueStorage, pickStorage, tolerant } from "./storage.ts";

const MEASURED_FOR_MS = 60_000;
const LOG_IN_BUDGET: RetryBudget = { attemptsMax: 5, totalMs: 15_000 };

export interface MeridianOptions {
  /** The core's, such as `http://127.0.0.1:7300`. */
  readonly url: string;
  /** Keeps the guest on this device for later visits; else each tab is its own guest. */
  readonly remember?: boolean;
  /** Where the guest's secret is kept instead. */
  readonly storage?: KeyValueStorage;
  /** How long a log-in may be tried. */
  readonly logInBudget?: RetryBudget;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface JoinOptions {
  /** What the game's own code receives. */
  readonly options?: Record<string, unknown>;
  /** Insists on one region. */
  readonly region?: string;
  readonly mode?: JoinMode;
  /** With mode `joinById`. */
  readonly roomId?: string;
  /** Told of every state from the first on. */
  readonly onConnection?: (connection: Connection) => void;
  /** Loads what the game needs once the seat is certain; the seat is kept meanwhile. */
  readonly prepare?: () => Promise<void>;
}

export class Meridian {
  readonly #api: Api;
  readonly #account: Account;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #fetch: Fetch;
  readonly #secure: boolean;
  #measured: { readonly roundTripsMs: Record<string, number>; readonly atMs: number } | undefined;

  constructor(options: MeridianOptions) {
    const { url, storage, remember = false, clock = systemClock, random = Math.random } = options;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#api = new Api(url, this.#fetch);
    this.#secure = new URL(url).protocol === "https:";
    this.#clock = clock;
    this.#random = random;
    this.#account = new Account({
      api: this.#api,
      storage: storage ? tolerant(storage) : pickStorage(remember),
      shared: remember || storage !== undefined,
      budget: options.logInBudget ?? LOG_IN_BUDGET,
      clock,
      random,
    });
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
   * Round trips to the regions that answer, in ms.
   * @param maxAgeMs how old a measurement may be to be used again
   */
  async measureRegions({ maxAgeMs = MEASURED_FOR_MS } = {}): Promise<Record<string, number>> {
    const nowMs = () => this.#clock.monotonicMs();
    const known = this.#measured;
    if (known && nowMs() - known.atMs < maxAgeMs) return known.roundTripsMs;
    const { regions } = await this.regions();
    const scheme = this.#secure ? "https:" : "http:";
    const roundTripsMs = await measureRoundTrips(regions, { fetch: this.#fetch, scheme, nowMs });
    this.#measured = { roundTripsMs, atMs: nowMs() };
    return roundTripsMs;
  }

  /**
   * Joins a game, as a guest if nobody is logged in. Resolves once the room's state is there.
   * @throws {MeridianError} why there is no room
   */
  async join<State>(game: string, options: JoinOptions = {}): Promise<Play<State>> {
    const seats = new SeatTaker({
      join: (request) => this.#join(request),
      renew: (request) => this.#seatFrom("/v1/join/renew", request),
      prepare: options.prepare,
      clock: this.#clock,
    });
    const play = new Play<State>({
      clock: this.#clock,
      random: this.#random,
      scheme: this.#secure ? "wss:" : "ws:",
      onConnection(connection) {
        if (connection.phase === "playing") seats.arrived();
        options.onConnection?.(connection);
      },
      join: async () => seats.take(await this.#requestFor(game, options)),
      comeBack: (roomId, reconnectionToken) =>
        this.#seatFrom("/v1/reconnect", { roomId, reconnectionToken, protocol: PROTOCOL_VERSION }),
    });
    await play.rejoin();
    return play;
  }

  async #requestFor(game: string, options: JoinOptions): Promise<JoinRequest> {
    const { region, mode, roomId } = options;
    if (!this.player) await this.logIn();
    return {
      game,
      options: options.options ?? {},
      protocol: PROTOCOL_VERSION,
      roundTripsMs: await this.#roundTripsOrNone(),
      ...(region && { region }),
      ...(mode && { mode }),
      ...(roomId && { roomId }),
    };
  }

  #join(request: JoinRequest): Promise<JoinAnswer> {
    return this.#account.authorized((token) => this.#seatFrom("/v1/join", request, token));
  }

  /** Without measurements the core ranks by distance: no reason not to join. */
  async #roundTripsOrNone(): Promise<Record<string, number>> {
    try {
      return await this.measureRegions();
    } catch (error) {
      if (error instanceof MeridianError) return {};
      throw error;
    }
  }

  #seatFrom(path: string, body: object, accessToken?: string): Promise<JoinAnswer> {
    const call = { method: "POST", path, body, schema: JoinAnswer } as const;
    return this.#api.call(accessToken === undefined ? call : { ...call, accessToken });
  }
}
