/**
 * The queue, mirrored into the core's own Redis, so that a core that starts again goes on with it at once. What is
 * not there, or can't be trusted, comes back from the waiting clients' tokens; so this may lose everything, but
 * must never pass for whole when it is not.
 *
 * It is trusted at a start only if the marker beside it is there (Redis was not emptied), names the run of Redis
 * that is there now (it was not restarted, which may have cost it its newest entries) and was written until the
 * former core ended (it was reachable until then; the database knows until when players waited). In doubt the
 * queue is made anew from tokens, and written here, with a marker, only once those had the time to be shown. Where
 * nobody has ever waited there are none, and an empty Redis holds all there is.
 *
 * While the core runs, changes are merged per leader and written every `FLUSH_MS`; one write is under way at a
 * time. The marker is renewed only while it is there: when it is not, Redis has lost the queue, and everything
 * is written anew from the core's memory. One core process keeps the queue.
 */
import type { Logger } from "pino";
import { type Cancel, type Clock, sleep } from "../../shared/clock.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Metrics } from "../../shared/metrics.ts";
import { QUEUE_POLL_MS_MAX, type QueueClaim } from "../../shared/protocol/queue.ts";
import type { RedisConnection } from "../../shared/redis/connection.ts";
import { LogPace } from "../http/log-pace.ts";
import { MirrorMetrics } from "./mirror-metrics.ts";
import { type Changes, isSameLife, type Life, MirrorStore } from "./mirror-store.ts";
import type { Mirror } from "./waiting-log.ts";

const FLUSH_MS = 250;
/** How often the marker is renewed, which is also when the loss of everything is noticed. */
const BEAT_MS = 1_000;
/**
 * A Redis that says nothing ends a load within half a second. This is for a long queue on a busy machine: 100,000
 * entries take a second of the processor, most of it to parse them.
 */
const LOAD_MS = 10_000;
/** Entries of one write: a millisecond of Redis' time, and of ours. */
const CHUNK = 1_000;
/** Changes that wait to be written; past it they are dropped and everything is written anew. */
const PENDING_MAX = 250_000;
/** A core that noted that players waited, so long after its last sign here, did not reach Redis then. */
const STALE_MS = 3_000;

export interface QueueMirrorDeps {
  readonly connection: Pick<RedisConnection, "redis" | "up">;
  /** Everybody who waits, when all is written anew; it may be read in steps, while changes are noted. */
  readonly all: () => Iterable<QueueClaim>;
  /** Redis was lost with everything in it while the core ran. */
  readonly onLost: () => void;
  /** When anybody was last known to wait, ms since 1970: `WaitingRecord`. */
  readonly lastWaitedMs: () => Promise<number | undefined>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/**
 * What Redis holds: nothing was read yet; nothing of use, so that it is to be written anew; what is being
 * written anew; the queue but for what is pending.
 */
type Standing = "unread" | "useless" | "writing" | "held";

export class RedisQueueMirror implements Mirror, Part {
  readonly name = "mirror of the queue";
  readonly #deps: QueueMirrorDeps;
  readonly #store: MirrorStore;
  readonly #metrics: MirrorMetrics;
  readonly #pace = new LogPace();
  #pending = new Map<PlayerId, QueueClaim | undefined>();
  #standing: Standing = "unread";
  /** Nothing is written anew before, monotonic. */
  #anewAtMs = Number.NEGATIVE_INFINITY;
  #beatAtMs = Number.NEGATIVE_INFINITY;
  /** Of Redis, when it began to hold the queue. */
  #life: Life | undefined;
  #flushing: Promise<void> | undefined;
  #cancel: Cancel | undefined;

  constructor(deps: QueueMirrorDeps) {
    this.#deps = deps;
    this.#metrics = new MirrorMetrics(deps.metrics, () => this.#pending.size);
    this.#store = new MirrorStore(deps.connection.redis);
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(FLUSH_MS, () => {
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined;
      });
    });
  }

  /** Writes what is pending. */
  async stop(): Promise<void> {
    this.#cancel?.();
    await this.#flushing;
    this.#beatAtMs = Number.NEGATIVE_INFINITY;
    await this.#flush();
  }

  /**
   * Everything that was kept, once, before the first note; undefined when there is nothing to be trusted: Redis
   * is away, or it is empty and was not always. Within 2 s for 100,000 entries, 10 s at most. Never rejects.
   */
  async load(): Promise<readonly QueueClaim[] | undefined> {
    const { clock } = this.#deps;
    const over = new AbortController();
    const late = sleep(clock, LOAD_MS, over.signal).then(() => undefined);
    const claims = await Promise.race([this.#read(over.signal), late]);
    over.abort();
    this.#standing = claims ? "held" : "useless";
    if (!claims) this.#anewAtMs = clock.monotonicMs() + QUEUE_POLL_MS_MAX;
    return claims;
  }

  /** Written behind, merged per leader; never rejects. */
  note(changes: Changes): void {
    // Whoever waits then will be among all of them.
    if (this.#standing === "useless") return;
    for (const [leader, claim] of changes) this.#pending.set(leader, claim);
    if (this.#pending.size <= PENDING_MAX) return;
    this.#pending.clear();
    this.#standing = "useless";
    this.#metrics.failures.inc({ call: "overflow" });
  }

  /** Never rejects. */
  async #read(over: AbortSignal): Promise<readonly QueueClaim[] | undefined> {
    const { connection, lastWaitedMs } = this.#deps;
    try {
      if (!connection.up) return this.#distrust("redis is away");
      const life = await this.#store.life();
      const [marker, waitedMs] = await Promise.all([this.#store.marker(), lastWaitedMs()]);
      if (!marker && waitedMs === undefined) return await this.#first(life);
      if (!marker) return this.#distrust("redis holds no queue");
      if (!isSameLife(marker, life)) return this.#distrust("redis was restarted or failed over");
      const staleMs = (waitedMs ?? 0) - marker.atMs;
      if (staleMs > STALE_MS) return this.#distrust("redis was not reached at the end");
      const { claims, skipped } = await this.#store.read(over);
      if (over.aborted) return this.#distrust(`redis told all within ${LOAD_MS} ms only in part`);
      if (!(await this.#store.marker())) return this.#distrust("redis lost it meanwhile");
      this.#life = life;
      this.#metrics.skipped.inc(skipped);
      this.#deps.log.info({ entries: claims.length, skipped }, "the queue was read from redis");
      return claims;
    } catch (err) {
      this.#failed("load", err);
      return undefined;
    }
  }

  /** Of a world that is new: nobody ever waited, so there are no tokens whose time is to be waited for. */
  async #first(life: Life): Promise<readonly QueueClaim[] | undefined> {
    const { clock } = this.#deps;
    await this.#store.clear();
    if (!(await this.#store.beat({ ...life, atMs: clock.nowMs() }))) return undefined;
    this.#life = life;
    return [];
  }

  #distrust(reason: string): undefined {
    this.#metrics.failures.inc({ call: "load" });
    this.#deps.log.warn(
      { reason, runbook: "core-admission-redis" },
      "the queue in redis can't be trusted: places come back by their tokens",
    );
    return undefined;
  }

  /** Never rejects. */
  async #flush(): Promise<void> {
    try {
      if (this.#standing === "unread" || !this.#deps.connection.up) return;
      if (this.#standing === "held") await this.#writeChanges();
      if (this.#standing !== "useless") return;
      if (this.#deps.clock.monotonicMs() >= this.#anewAtMs) await this.#writeAnew();
    } catch (err) {
      this.#failed("write", err);
    }
  }

  async #writeChanges(): Promise<void> {
    const { clock } = this.#deps;
    if (this.#store.reconnected && !this.#isOurs(await this.#store.life())) {
      this.#lost();
      return;
    }
    while (this.#pending.size > 0) {
      const chunk = this.#takeChunk();
      try {
        await this.#store.write(chunk);
      } catch (error) {
        for (const [leader, claim] of chunk) {
          if (!this.#pending.has(leader)) this.#pending.set(leader, claim);
        }
        throw error;
      }
    }
    const nowMs = clock.monotonicMs();
    // Something may have been dropped meanwhile: then the marker would lie.
    if (this.#standing !== "held" || nowMs - this.#beatAtMs < BEAT_MS) return;
    this.#beatAtMs = nowMs;
    const life = this.#life;
    if (!life || !(await this.#store.beat({ ...life, atMs: clock.nowMs() }))) this.#lost();
  }

  #isOurs(life: Life): boolean {
    return this.#life !== undefined && isSameLife(this.#life, life);
  }

  #takeChunk(): Map<PlayerId, QueueClaim | undefined> {
    const chunk = new Map<PlayerId, QueueClaim | undefined>();
    for (const [leader, claim] of this.#pending) {
      chunk.set(leader, claim);
      this.#pending.delete(leader);
      if (chunk.size >= CHUNK) break;
    }
    return chunk;
  }

  #lost(): void {
    this.#metrics.lost.inc();
    this.#standing = "useless";
    this.#anewAtMs = Number.NEGATIVE_INFINITY;
    this.#deps.log.error(
      { runbook: "core-admission-redis" },
      "redis has lost the queue: it is written anew",
    );
    this.#deps.onLost();
  }

  async #writeAnew(): Promise<void> {
    const { all, clock } = this.#deps;
    const life = await this.#store.life();
    await this.#store.clear();
    this.#pending.clear();
    // What changes from here on is written after everything.
    this.#standing = "writing";
    try {
      let chunk = new Map<PlayerId, QueueClaim>();
      for (const claim of all()) {
        chunk.set(claim.leader, claim);
        if (chunk.size < CHUNK) continue;
        await this.#store.write(chunk);
        chunk = new Map();
      }
      await this.#store.write(chunk);
      const marker = { ...life, atMs: clock.nowMs() };
      const whole = !this.#store.reconnected && (await this.#store.beat(marker));
      if (!whole || this.#standing !== "writing") return;
      this.#life = life;
      this.#standing = "held";
    } finally {
      if (this.#standing === "writing") this.#standing = "useless";
    }
  }

  #failed(call: "load" | "write", err: unknown): void {
    this.#metrics.failures.inc({ call });
    const held = this.#pace.permit(this.#deps.clock.monotonicMs());
    if (held === undefined) return;
    this.#deps.log.warn(
      { err, call, held, runbook: "core-admission-redis" },
      "the queue's mirror in redis could not be read or written",
    );
  }
}
