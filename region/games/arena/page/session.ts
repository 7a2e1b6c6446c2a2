/**
 * The player's stay: logs in, joins, and when a room is gone looks for the next one, by itself after
 * a few seconds in which the player can read what happened.
 */
import type { Arrival, Connection, Moved } from "../../../../shared/client/connection.ts";
import { Meridian } from "../../../../shared/client/meridian.ts";
import type { JoinOptions } from "../../../../shared/client/options.ts";
import type { Play } from "../../../../shared/client/play.ts";
import { isFailure, MeridianError } from "../../../../shared/errors.ts";
import type { RegionInfo } from "../../../../shared/protocol/join.ts";
import type { ArenaState } from "../arena-state.ts";
import { Belongings } from "./belongings.ts";
import { Story } from "./story.ts";

/** How long the player may read before the move to another region. */
const MOVE_AFTER_MS = 4_000;
/** How long the move's success stays on the screen. */
const NEWS_MS = 4_000;
const REGIONS_EVERY_MS = 4_000;
const ROUND_TRIPS_EVERY_MS = 12_000;

/** What is written large, with what the player can do about it. */
export type Notice =
  | { readonly kind: "moving"; readonly atMs: number; readonly to: string | undefined }
  | { readonly kind: "moved"; readonly words: string }
  /** It can be begun again. Without a `why` the connection's own words tell. */
  | { readonly kind: "over"; readonly why: string | undefined }
  /** There is no seat, and no place to wait for one either. */
  | { readonly kind: "full"; readonly againAtMs: number }
  /** The region that the player insisted on takes them not; another may. */
  | { readonly kind: "refused"; readonly region: string; readonly why: string };

/** What the link that led here asks for. */
export interface Wanted {
  /** Of a friend; tried first. */
  readonly room?: string | undefined;
  /** The only one to play in. */
  readonly region?: string | undefined;
}

export class ArenaSession {
  readonly meridian: Meridian;
  readonly belongings: Belongings;
  readonly story = new Story(
    (regionId) => this.city(regionId),
    () => performance.now(),
  );
  readonly #changed: () => void;
  readonly #told: (state: ArenaState) => void;
  #play: Play<ArenaState> | undefined;
  #arrival: Arrival | undefined;
  #connection: Connection = { phase: "idle" };
  #sinceMs = 0;
  #regions: readonly RegionInfo[] = [];
  #online = 0;
  #roundTripsMs: Readonly<Record<string, number>> = {};
  #notice: Notice | undefined;
  #lostRegion = "";
  #entering = false;

  /**
   * @param changed called when anything but the game's state changed
   * @param told called with each state of the room
   */
  constructor(url: string, changed: () => void, told: (state: ArenaState) => void) {
    this.meridian = new Meridian({ url });
    this.belongings = new Belongings(this.meridian, changed);
    this.#changed = changed;
    this.#told = told;
  }

  get play(): Play<ArenaState> | undefined {
    return this.#play;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** When the connection became what it is; `performance.now()`. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  get regions(): readonly RegionInfo[] {
    return this.#regions;
  }

  get online(): number {
    return this.#online;
  }

  get roundTripsMs(): Readonly<Record<string, number>> {
    return this.#roundTripsMs;
  }

  get notice(): Notice | undefined {
    return this.#notice;
  }

  get regionId(): string | undefined {
    return "regionId" in this.#connection ? this.#connection.regionId : undefined;
  }

  city(regionId: string): string {
    return this.#regions.find((region) => region.regionId === regionId)?.name ?? regionId;
  }

  /** Keeps the list of regions and the round trips fresh, also before the player joins. */
  watchRegions(): void {
    const look = () => void this.#lookAtRegions();
    const measure = () => void this.#measure();
    look();
    measure();
    setInterval(look, REGIONS_EVERY_MS);
    setInterval(measure, ROUND_TRIPS_EVERY_MS);
  }

  /** Begins, or begins again in another room. What fails is in the notice. */
  async enter(name: string, { room, region }: Wanted = {}): Promise<void> {
    // A second click must not take a second seat.
    if (this.#entering) return;
    this.#entering = true;
    this.#notice = undefined;
    try {
      if (!this.meridian.player) await this.meridian.logIn({ name });
      if (room !== undefined && (await this.#joinRoom(room))) return;
      if (region === undefined) await this.#join();
      else if (await this.#takesPlayers(region)) await this.#join({ region });
    } catch (error) {
      if (!isFailure(error)) throw error;
      const againAtMs = performance.now() + (error.retryAfterMs ?? 0);
      if (error.kind === "queue_full") this.#notice = { kind: "full", againAtMs };
      this.#notice ??= { kind: "over", why: error.message };
      this.#changed();
    } finally {
      this.#entering = false;
    }
  }

  /** Takes the best of the offers that are on the screen. */
  acceptOffer(): void {
    const [offer] = this.#offers;
    if (offer) this.#arrival?.acceptOffer(offer.regionId);
  }

  declineOffers(): void {
    for (const { regionId } of this.#offers) this.#arrival?.declineOffer(regionId);
  }

  leaveQueue(): void {
    void this.#arrival?.leave();
  }

  get #offers() {
    return this.#connection.phase === "offered" ? this.#connection.offers : [];
  }

  /** Here, and in every room from now on. */
  async rename(name: string): Promise<void> {
    try {
      await this.meridian.rename(name);
      this.#play?.send("rename", { name }, { keep: true });
    } catch (error) {
      // The name stays what it was; the next change is tried again.
      if (!isFailure(error)) throw error;
    }
  }

  /** @returns false when that room takes nobody: it has ended, or is full */
  async #joinRoom(roomId: string): Promise<boolean> {
    try {
      await this.#join({ mode: "joinById", roomId });
      return true;
    } catch (error) {
      // Whoever left the queue for that room wants no other one.
      if (isFailure(error) && error.kind !== "caller_gone") return false;
      throw error;
    }
  }

  /** Asked before the join, which would try again for a while what can't be now. */
  async #takesPlayers(region: string): Promise<boolean> {
    const refused = (why: string) => {
      this.#notice = { kind: "refused", region, why };
      this.#changed();
    };
    try {
      const { ranking, regionId } = await this.meridian.route({ game: "arena", region });
      if (regionId !== null) return true;
      const asked = ranking.find((one) => one.regionId === region);
      refused(asked ? `${asked.name} takes no players: ${asked.verdict}.` : "It takes no players.");
    } catch (error) {
      // A name that no region can have is as unknown as any other.
      const unknown = isFailure(error, "unknown_region") || isFailure(error, "bad_request");
      if (!unknown) throw error;
      refused(`There is no region "${region}".`);
    }
    return false;
  }

  async #join(where: JoinOptions = {}): Promise<void> {
    const onConnection = (connection: Connection, arrival: Arrival) => {
      this.#arrival = arrival;
      this.#connectionChanged(connection);
    };
    this.#play = await this.meridian.join<ArenaState>("arena", { ...where, onConnection });
    this.#play.onChange(this.#told);
    this.#play.onMoved((moved) => this.#movedTo(moved));
    this.belongings.follow(this.#play);
    this.#told(this.#play.state);
  }

  #connectionChanged(connection: Connection): void {
    const waited = "place" in this.#connection;
    this.story.connection(connection);
    this.#connection = connection;
    this.#sinceMs = performance.now();
    const { phase } = connection;
    // Also after a failover: what was paid then, nobody was there to be told of.
    if (phase === "playing") void this.belongings.look();
    if (phase === "lost") void this.#lost(connection.regionId);
    else if (phase === "playing" && this.#lostRegion) this.#showMoved();
    else if (phase === "left") {
      this.#notice = { kind: "over", why: waited ? "You left the queue." : undefined };
    } else if (phase === "joining") this.#notice = undefined;
    this.#changed();
  }

  async #lost(regionId: string): Promise<void> {
    this.#lostRegion = regionId;
    const atMs = performance.now() + MOVE_AFTER_MS;
    const moving = { kind: "moving", atMs, to: undefined } as const;
    this.#notice = moving;
    setTimeout(() => {
      const { player } = this.meridian;
      if (this.#connection.phase === "lost") void this.enter(player?.name ?? "");
    }, MOVE_AFTER_MS);
    const to = await this.#nextRegion();
    if (this.#notice !== moving) return;
    this.#notice = { ...moving, to };
    this.#changed();
  }

  #movedTo(moved: Moved): void {
    const play = this.#play;
    const words = this.story.moved(moved, play?.state.players.get(play.sessionId));
    this.#showMoved(words);
    // Who else is where has changed, too.
    void this.#lookAtRegions();
  }

  #showMoved(
    words = `${this.city(this.#lostRegion)} was lost; a fresh start for everybody here.`,
  ): void {
    this.#notice = { kind: "moved", words };
    this.#lostRegion = "";
    setTimeout(() => {
      if (this.#notice?.kind === "moved") this.#notice = undefined;
      this.#changed();
    }, NEWS_MS);
  }

  /** Where a join would lead now, as far as one can tell. */
  async #nextRegion(): Promise<string | undefined> {
    const ranking = await this.#lookAtRegions();
    return ranking?.find(({ eligible }) => eligible)?.regionId;
  }

  async #lookAtRegions() {
    try {
      const { regions, ranking, playersOnline } = await this.meridian.regions();
      this.#regions = regions;
      this.#online = playersOnline;
      this.story.regions(regions, this.regionId);
      this.#changed();
      return ranking;
    } catch (error) {
      // The core is away for a moment: what was known stays on the screen.
      if (!(error instanceof MeridianError)) throw error;
      return undefined;
    }
  }

  async #measure(): Promise<void> {
    try {
      this.#roundTripsMs = await this.meridian.measureRegions({
        maxAgeMs: ROUND_TRIPS_EVERY_MS / 2,
      });
      this.#changed();
    } catch (error) {
      // As above.
      if (!(error instanceof MeridianError)) throw error;
    }
  }
}
