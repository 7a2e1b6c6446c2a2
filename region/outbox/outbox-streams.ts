/**
 * The streams of a region's outboxes in its own Redis: one for each producer, and the set of them all.
 * What a node wrote outlives it there, for another node of the region to send on.
 */
import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";
import { z } from "zod";
import { NodeId, type RegionId } from "../../shared/ids.ts";
import { OutboxItem, ProducerId } from "../../shared/protocol/player-state.ts";
import { outboxAliveKey, outboxesKey, outboxKey, takeOverKey } from "../redis/keys.ts";
import type { Entry } from "./producer-step.ts";

/** Entries that are read in one call. */
const PAGE = 100;
const OPEN = readFileSync(new URL("./open.lua", import.meta.url), "utf8");
const APPEND = readFileSync(new URL("./append.lua", import.meta.url), "utf8");
/** Above every place that a writer would append at. */
const FENCE_ID = `${Number.MAX_SAFE_INTEGER}-0`;
const RETIRE = readFileSync(new URL("./retire.lua", import.meta.url), "utf8");
const Items = z.array(OutboxItem);

/** What the outbox needs of them. */
export type Streams = Pick<OutboxStreams, keyof OutboxStreams>;

export class OutboxStreams {
  readonly #redis: Redis;
  readonly #regionId: RegionId;

  constructor(redis: Redis, regionId: RegionId) {
    this.#redis = redis;
    this.#regionId = regionId;
  }

  /** Calls `listener` whenever the connection is there, for the first time and again. */
  onBack(listener: () => void): void {
    this.#redis.on("ready", listener);
  }

  async open(producerId: ProducerId): Promise<void> {
    await this.#redis.eval(OPEN, 2, this.#key(producerId), outboxesKey(this.#regionId), producerId);
  }

  /** @returns whether the stream holds it; false when it lost what it had */
  async append(producerId: ProducerId, { seq, text }: Entry): Promise<boolean> {
    return (await this.#redis.eval(APPEND, 1, this.#key(producerId), seq, text)) === 1;
  }

  /** Whether the newest entry that the stream was ever given is that one. */
  async isAt(producerId: ProducerId, lastSeq: number): Promise<boolean> {
    const key = this.#key(producerId);
    if ((await this.#redis.exists(key)) === 0) return false;
    const info = (await this.#redis.xinfo("STREAM", key)) as unknown[];
    const newest = info[info.indexOf("last-generated-id") + 1];
    return String(newest).split("-")[0] === String(lastSeq);
  }

  async trim(producerId: ProducerId, upTo: number): Promise<void> {
    await this.#redis.xtrim(this.#key(producerId), "MINID", `${upTo + 1}-0`);
  }

  /**
   * Of one that was taken over and sent to its end. It stays for a while, empty and fenced: its writer, should
   * it live, must not begin it anew, as the core takes nothing of it any more.
   */
  async retire(producerId: ProducerId): Promise<void> {
    const key = this.#key(producerId);
    await this.#redis.eval(RETIRE, 2, key, outboxesKey(this.#regionId), producerId, FENCE_ID);
  }

  async forget(producerId: ProducerId): Promise<void> {
    await this.#redis.del(this.#key(producerId));
    await this.#redis.srem(outboxesKey(this.#regionId), producerId);
  }

  /** All producers of the region; what is no producer's id is left out. */
  async list(): Promise<ProducerId[]> {
    const members = await this.#redis.smembers(outboxesKey(this.#regionId));
    return members.flatMap((member) => ProducerId.safeParse(member).data ?? []);
  }

  /** Says that the node lives, for so long. */
  async live(nodeId: NodeId, forMs: number): Promise<void> {
    await this.#redis.set(outboxAliveKey(this.#regionId, nodeId), "1", "PX", forMs);
  }

  async isAlive(nodeId: NodeId): Promise<boolean> {
    return (await this.#redis.exists(outboxAliveKey(this.#regionId, nodeId))) === 1;
  }

  /** From now on its writer, should it live, finds that the stream does not hold what it held. */
  async fence(producerId: ProducerId): Promise<void> {
    const key = this.#key(producerId);
    // Without a stream there is nothing to fence, nor for a writer to append to.
    if ((await this.#redis.exists(key)) === 0) return;
    await this.#redis.call("XSETID", key, FENCE_ID);
  }

  /** Keeps others from the same stream for a while. @returns whether nobody else who lives has it */
  async reserve(producerId: ProducerId, nodeId: NodeId, holdMs: number): Promise<boolean> {
    const key = takeOverKey(this.#regionId, producerId);
    if ((await this.#redis.set(key, nodeId, "PX", holdMs, "NX")) === "OK") return true;
    const holder = NodeId.safeParse(await this.#redis.get(key)).data;
    if (holder && (await this.isAlive(holder))) return false;
    await this.#redis.set(key, nodeId, "PX", holdMs);
    return true;
  }

  /**
   * Everything that was not trimmed, oldest first; one that can't be read, and all after it, is left out.
   */
  async read(producerId: ProducerId): Promise<{ entries: Entry[]; unreadable: boolean }> {
    const entries: Entry[] = [];
    for (let from = "0-2"; ; ) {
      const page = await this.#redis.xrange(this.#key(producerId), from, "+", "COUNT", PAGE);
      for (const [id, fields] of page) {
        const entry = entryOf(id, fields);
        if (!entry) return { entries, unreadable: true };
        entries.push(entry);
        from = `${entry.seq}-1`;
      }
      if (page.length < PAGE) return { entries, unreadable: false };
    }
  }

  #key(producerId: ProducerId): string {
    return outboxKey(this.#regionId, producerId);
  }
}

function entryOf(id: string, [name, text]: readonly string[]): Entry | undefined {
  if (name !== "items" || text === undefined) return undefined;
  try {
    const items = Items.parse(JSON.parse(text));
    return { seq: Number(id.split("-")[0]), items, text, marks: new Map() };
  } catch {
    // Somebody else wrote there: the caller tells of it.
    return undefined;
  }
}
