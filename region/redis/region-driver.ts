/**
 * The list of rooms, as Colyseus' driver keeps it: this node's own rooms in memory, and a copy of it in
 * Redis by Colyseus' Redis driver, where game code finds the rooms of the region's other nodes
 * (a query of rooms, lobbies).
 *
 * Placing players never looks there. Which node a player goes to is the core's choice, and on the node
 * only its own rooms count: so a slow Redis holds up nobody, and none is sent to a room that was.
 *
 * A list in Redis outlives the process that wrote it. So each process says every `BEAT_MS` that it lives,
 * rooms of one that did not for `ALIVE_S` are not found, and whoever comes upon them takes them out. The
 * owner writes all of its rooms anew every `REASSERT_BEATS` beats, and whenever Redis came back; the end of a
 * room is tried at each beat until it is written.
 */
import { type IRoomCache, LocalDriver, type SortOptions } from "@colyseus/core";
import { RedisDriver } from "@colyseus/redis-driver";
import { z } from "zod";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { RoomId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { RedisConnection } from "../../shared/redis/connection.ts";
import { aliveKey } from "./keys.ts";

const BEAT_MS = 2_000;
const ALIVE_S = 7;
const REASSERT_BEATS = 5;
/** Ends of rooms that are not in the list yet; past it the entries stay until this process ends. */
const ENDED_MAX = 10_000;

/** What a node believes of another one's entry; the rest of it is the game's. */
const Listing = z.looseObject({
  roomId: RoomId,
  name: z.string(),
  processId: z.string().min(1),
  clients: z.number().int().nonnegative(),
  maxClients: z.number().nullable(),
});

type Conditions = Parameters<LocalDriver["query"]>[0];

export interface RegionDriverOptions {
  readonly connection: Pick<RedisConnection, "redis" | "up">;
  /** Colyseus' name for this process; it is known once its matchmaker is set up. */
  readonly processId: () => string;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export class RegionDriver extends LocalDriver {
  readonly #options: RegionDriverOptions;
  readonly #failures: Counter<"call">;
  /** Rooms that are gone and may be listed still. */
  readonly #ended = new Set<string>();
  /** What Redis does not know yet of this node's rooms. */
  readonly #changed = new Map<string, IRoomCache>();
  #shared: RedisDriver;
  #cancel: Cancel | undefined;
  #beats = 0;
  #wasUp = false;

  constructor(options: RegionDriverOptions) {
    super();
    this.#options = options;
    this.#shared = new RedisDriver(options.connection.redis);
    this.#failures = new Counter({
      name: "meridian_region_listings_failed_total",
      help: "Reads and writes of the region's list of rooms that failed; nobody's place depends on it",
      labelNames: ["call"],
      registers: [options.metrics],
    });
  }

  /** Colyseus calls it when the matchmaker is set up. */
  async boot(): Promise<void> {
    this.#cancel?.();
    await this.#beat();
    this.#cancel = this.#options.clock.every(BEAT_MS, () => {
      // Never rejects.
      void this.#beat();
    });
  }

  /** Takes this node's rooms out of the list. */
  override async shutdown(): Promise<void> {
    this.#cancel?.();
    this.#changed.clear();
    const processId = this.#options.processId();
    await this.#try("write", () => this.#shared.cleanup(processId));
    await this.#try("write", () => this.#options.connection.redis.del(aliveKey(processId)));
  }

  override async insert(room: IRoomCache): Promise<boolean> {
    const inserted = await super.insert(room);
    if (inserted) this.#write(room);
    return inserted;
  }

  override persist(room: IRoomCache, create = false): boolean {
    const done = super.persist(room, create);
    this.#write(room);
    return done;
  }

  override update(room: IRoomCache, operations: Parameters<LocalDriver["update"]>[1]): boolean {
    const done = super.update(room, operations);
    this.#write(room);
    return done;
  }

  override remove(roomId: string): boolean {
    this.#changed.delete(roomId);
    if (this.#ended.size < ENDED_MAX) this.#ended.add(roomId);
    void this.#erase(roomId);
    return super.remove(roomId);
  }

  /** A room of this node; by its id also one of another node. */
  override findOne(conditions: Conditions, sortOptions?: SortOptions) {
    const { roomId } = conditions;
    const here = super.findOne(conditions, sortOptions);
    if (typeof roomId !== "string" || this.has(roomId)) return here;
    return this.#find([roomId]).then((found) => found.get(roomId)) as typeof here;
  }

  /** The region's rooms; only this node's while Redis is away. */
  // @ts-expect-error LocalDriver declares less than the interface that Colyseus goes by, which this meets.
  override async query(conditions: Conditions, sortOptions?: SortOptions): Promise<IRoomCache[]> {
    // On one connection: what this node has just made is found.
    this.#writeChanged();
    const everywhere = await this.#try("read", async () =>
      this.#living(await this.#shared.query(conditions, sortOptions)),
    );
    return everywhere ?? super.query(conditions, sortOptions);
  }

  override async findByIds(roomIds: string[]): Promise<Map<string, IRoomCache>> {
    const here = await super.findByIds(roomIds);
    const others = await this.#find(roomIds.filter((id) => !here.has(id)));
    return new Map([...others, ...here]);
  }

  async #find(roomIds: string[]): Promise<Map<string, IRoomCache>> {
    const found = await this.#try("read", async () => {
      const rooms = await this.#shared.findByIds(roomIds);
      return this.#living([...rooms.values()]);
    });
    return new Map(found?.map((room) => [room.roomId, room]));
  }

  /** Without what is no listing, and without rooms of processes that are gone. */
  async #living(found: readonly IRoomCache[]): Promise<IRoomCache[]> {
    const rooms = found.filter((room) => Listing.safeParse(room).success);
    const processIds = [...new Set(rooms.map(({ processId }) => processId))];
    const { redis } = this.#options.connection;
    const alive = processIds.length > 0 ? await redis.mget(processIds.map(aliveKey)) : [];
    const gone = new Set(processIds.filter((_, index) => alive[index] === null));
    gone.delete(this.#options.processId());
    for (const processId of gone) void this.#try("write", () => this.#shared.cleanup(processId));
    return rooms.filter(({ processId }) => !gone.has(processId));
  }

  async #beat(): Promise<void> {
    const { connection, processId } = this.#options;
    const back = connection.up && !this.#wasUp;
    this.#wasUp = connection.up;
    if (!connection.up) return;
    await this.#try("write", () => connection.redis.setex(aliveKey(processId()), ALIVE_S, "1"));
    this.#beats += 1;
    for (const roomId of this.#ended) void this.#erase(roomId);
    if (!back && this.#beats % REASSERT_BEATS !== 0) return;
    for (const room of this.rooms) this.#write(room);
  }

  /**
   * Behind the caller, and once for all that changes in one turn: a room that is taken over holds a seat for each of
   * its players. The owner's copy is in memory, and is written again before long.
   */
  #write(room: IRoomCache): void {
    this.#ended.delete(room.roomId);
    if (!this.#options.connection.up) return;
    if (this.#changed.size === 0) setImmediate(() => this.#writeChanged());
    this.#changed.set(room.roomId, room);
  }

  #writeChanged(): void {
    const rooms = [...this.#changed.values()];
    this.#changed.clear();
    for (const room of rooms) void this.#try("write", () => this.#shared.persist(room));
  }

  async #erase(roomId: string): Promise<void> {
    await this.#try("write", async () => {
      await this.#shared.remove(roomId);
      this.#ended.delete(roomId);
    });
  }

  async #try<T>(call: "read" | "write", work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch {
      // Redis is away, which the connection reports; or somebody wrote there what is no JSON.
      this.#failures.inc({ call });
      // The stock driver hands a request that failed to all who ask after it, for ever.
      if (call === "read") this.#shared = new RedisDriver(this.#options.connection.redis);
      return undefined;
    }
  }
}
