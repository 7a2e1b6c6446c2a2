/** The mirror of the queue as Redis has it: a hash by leader, and the marker that says whether it is whole. */
import type { Redis } from "ioredis";
import { z } from "zod";
import type { PlayerId } from "../../shared/ids.ts";
import { QueueClaim } from "../../shared/protocol/queue.ts";
import { QUEUE_KEY, QUEUE_MARKER_KEY } from "./redis-keys.ts";

/** Entries of one read. */
const PAGE = 1_000;

/** Which life of which Redis it is. */
const Life = z.object({
  /** Another one after each restart. */
  runId: z.string().min(1),
  /**
   * Of what it has as a master: another one after each promotion, also of one that was a master before, was
   * demoted to a copy of another, and is promoted again without a restart. Markers of older cores have none.
   */
  replicationId: z.string().min(1).optional(),
});
export type Life = z.infer<typeof Life>;

const Marker = Life.extend({
  /** Everything up to then is in it, ms since 1970. */
  atMs: z.number(),
});
export type Marker = z.infer<typeof Marker>;

/** By leader; undefined for those that are gone. */
export type Changes = ReadonlyMap<PlayerId, QueueClaim | undefined>;

export class MirrorStore {
  readonly #redis: Redis;
  #reconnected = true;

  constructor(redis: Redis) {
    this.#redis = redis;
    redis.on("ready", () => {
      this.#reconnected = true;
    });
  }

  /** Whether it may be another Redis since `life` was asked. */
  get reconnected(): boolean {
    return this.#reconnected;
  }

  /** That of the Redis that is there now: another one after each restart and failover. */
  async life(): Promise<Life> {
    this.#reconnected = false;
    try {
      const info = await this.#redis.info();
      const [, runId] = /^run_id:(\w+)/m.exec(info) ?? [];
      const [, replicationId] = /^master_replid:(\w+)/m.exec(info) ?? [];
      return Life.parse({ runId, replicationId });
    } catch (error) {
      this.#reconnected = true;
      throw error;
    }
  }

  async marker(): Promise<Marker | undefined> {
    const text = await this.#redis.get(QUEUE_MARKER_KEY);
    return Marker.safeParse(parsed(text ?? "")).data;
  }

  /** Renews the marker. @returns false when there was none: what was here is lost */
  async beat(marker: Marker): Promise<boolean> {
    return (await this.#redis.set(QUEUE_MARKER_KEY, JSON.stringify(marker), "XX")) === "OK";
  }

  /** Empties the mirror, and marks that it is not whole. */
  async clear(): Promise<void> {
    await this.#redis.set(QUEUE_MARKER_KEY, "{}");
    await this.#redis.unlink(QUEUE_KEY);
  }

  async write(changes: Changes): Promise<void> {
    const set: string[] = [];
    const gone: string[] = [];
    for (const [leader, claim] of changes) {
      if (claim) set.push(leader, JSON.stringify(claim));
      else gone.push(leader);
    }
    await Promise.all([
      set.length > 0 && this.#redis.hset(QUEUE_KEY, ...set),
      gone.length > 0 && this.#redis.hdel(QUEUE_KEY, ...gone),
    ]);
  }

  /** All entries; what is none is left out and counted. Ends early, with a part of them, when it is over. */
  async read(over: AbortSignal): Promise<{ claims: QueueClaim[]; skipped: number }> {
    // A hash that is being resized may tell an entry twice.
    const claims = new Map<string, QueueClaim>();
    const garbage = new Set<string>();
    let cursor = "0";
    do {
      const [next, page] = await this.#redis.hscan(QUEUE_KEY, cursor, "COUNT", PAGE);
      for (let i = 0; i < page.length; i += 2) {
        const [leader = "", text = ""] = page.slice(i, i + 2);
        const claim = QueueClaim.safeParse(parsed(text)).data;
        if (claim?.leader === leader) claims.set(leader, claim);
        else garbage.add(leader);
      }
      cursor = next;
    } while (cursor !== "0" && !over.aborted);
    return { claims: [...claims.values()], skipped: garbage.size };
  }
}

export function isSameLife(one: Life, other: Life): boolean {
  if (one.runId !== other.runId) return false;
  const ids = [one.replicationId, other.replicationId];
  return ids.includes(undefined) || ids[0] === ids[1];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Nobody of ours writes that: it fits no schema.
    return undefined;
  }
}
