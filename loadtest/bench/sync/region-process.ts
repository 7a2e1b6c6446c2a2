/**
 * The process of the region that is measured: players' documents as rooms have them, the outbox, a real
 * Redis, the link. Rooms themselves are left out: they would only cost the same for every contender.
 */

import { Outbox } from "../../../region/outbox/outbox.ts";
import { OutboxStreams } from "../../../region/outbox/outbox-streams.ts";
import { PlayerStates } from "../../../region/players/player-states.ts";
import { RegionRedis } from "../../../region/redis/region-redis.ts";
import { PlayerState } from "../../../region/rooms/player-state.ts";
import type { Collections } from "../../../region/rooms/state-collections.ts";
import { systemClock } from "../../../shared/clock.ts";
import { isFailure } from "../../../shared/errors.ts";
import { type NodeId, type PlayerId, RegionId } from "../../../shared/ids.ts";
import type { LinkCredentials } from "../../../shared/link/credentials.ts";
import { LinkIdentity } from "../../../shared/link/identity.ts";
import { LinkClient } from "../../../shared/link/link-client.ts";
import { createLog } from "../../../shared/log.ts";
import { createMetrics } from "../../../shared/metrics.ts";
import {
  BatchAnswer,
  CloseProducerAnswer,
  LoadAnswer,
} from "../../../shared/protocol/player-state.ts";
import { percentile } from "../benchmark.ts";
import { startHeartbeats } from "../stand-in-node.ts";

export interface RegionSetup {
  /** `host:port` of the core's link, and the same over a long way. */
  readonly link: string;
  readonly farLink: string;
  readonly credentials: LinkCredentials;
  readonly redisUrl: string;
  readonly playerIds: readonly PlayerId[];
}

export interface RunQuestion {
  readonly keys: "hot" | "uniform";
  readonly ms: number;
  /** Undefined: as fast as it goes. */
  readonly perSecond?: number;
  readonly far: boolean;
}

export interface RunAnswer {
  /** That rooms made, all durable at the core by the end. */
  readonly changes: number;
  /** Rows that were sent for them. */
  readonly rows: number;
  readonly bytes: number;
  /** Until the last one was durable. */
  readonly tookMs: number;
  /** From the change until its player was told that it is saved. */
  readonly lagP99Ms: number;
  readonly appendP99Ms: number;
}

export const HOT_PLAYERS = 1_000;
export const COLLECTIONS = 25;
const REGION = RegionId.parse("beijing");
const DEADLINE_MS = 10_000;
const LOADS_AT_ONCE = 32;
/** Changes in one go, before anything else of the process has its turn, as in a tick. */
const TICK_CHANGES = 500;
const FULL_PAUSE_MS = 2;

const collections: Collections = Object.fromEntries(
  Array.from({ length: COLLECTIONS }, (_, n) => [`stats${n}`, { format: 1 }]),
);
const names = Object.keys(collections);

class BenchRegion {
  readonly #setup: RegionSetup;
  readonly #clock = systemClock;
  readonly #states: PlayerState[] = [];
  readonly #outbox: Outbox;
  readonly #made: { readonly revision: number; readonly atMs: number }[][] = [];
  #address: string;
  #rows = 0;
  #bytes = 0;
  #lagsMs: number[] = [];
  #appendsMs: number[] = [];
  #keyed = 0;

  constructor(setup: RegionSetup, redis: RegionRedis, client: LinkClient, nodeId: NodeId) {
    this.#setup = setup;
    this.#address = setup.link;
    const clock = this.#clock;
    const log = createLog("region", "error");
    const metrics = createMetrics({});
    const call = { peer: { role: "core" }, deadlineMs: DEADLINE_MS } as const;
    const streams = new OutboxStreams(redis.outbox.redis, REGION);
    const append = streams.append.bind(streams);
    streams.append = async (by, entry) => {
      const beganMs = clock.monotonicMs();
      const held = await append(by, entry);
      this.#appendsMs.push(clock.monotonicMs() - beganMs);
      return held;
    };
    this.#outbox = new Outbox({
      nodeId,
      streams,
      calls: {
        batch: async (body) => {
          this.#rows += body.items.length;
          this.#bytes += JSON.stringify(body).length;
          const address = this.#address;
          return client.call({ ...call, address, path: "/link/batch", body, answer: BatchAnswer });
        },
        close: (body) => {
          const { link: address } = setup;
          const path = "/link/outbox/close";
          return client.call({ ...call, address, path, body, answer: CloseProducerAnswer });
        },
      },
      backlogItemsMax: 200_000,
      backlogBytesMax: 64 * 1024 * 1024,
      clock,
      random: Math.random,
      log,
      metrics,
    });
    this.#players = new PlayerStates({
      nodeId,
      outbox: this.#outbox,
      load: (body) => {
        const { link: address } = setup;
        const path = "/link/players/load";
        return client.call({ ...call, address, path, body, answer: LoadAnswer });
      },
      clock,
      log,
      metrics,
    });
    this.#outbox.start();
  }

  readonly #players: PlayerStates;

  async loadPlayers(): Promise<void> {
    const { playerIds } = this.#setup;
    for (let at = 0; at < playerIds.length; at += LOADS_AT_ONCE) {
      await Promise.all(
        playerIds.slice(at, at + LOADS_AT_ONCE).map((id, n) => this.#load(id, at + n)),
      );
    }
  }

  async run({ keys, ms, perSecond, far }: RunQuestion): Promise<RunAnswer> {
    this.#address = far ? this.#setup.farLink : this.#setup.link;
    [this.#rows, this.#bytes, this.#lagsMs, this.#appendsMs] = [0, 0, [], []];
    const beganMs = this.#clock.monotonicMs();
    let changes = 0;
    for (;;) {
      const passedMs = this.#clock.monotonicMs() - beganMs;
      if (passedMs >= ms) break;
      const due =
        perSecond === undefined
          ? TICK_CHANGES
          : Math.floor((passedMs * perSecond) / 1_000) - changes;
      const made = this.#tick(keys, due);
      changes += made;
      await new Promise((resolve) => {
        if (made === TICK_CHANGES) setImmediate(resolve);
        else setTimeout(resolve, FULL_PAUSE_MS);
      });
    }
    await this.#outbox.drained(AbortSignal.timeout(60_000));
    return {
      changes,
      rows: this.#rows,
      bytes: this.#bytes,
      tookMs: this.#clock.monotonicMs() - beganMs,
      lagP99Ms: percentile(this.#lagsMs, 99),
      appendP99Ms: percentile(this.#appendsMs, 99),
    };
  }

  async #load(playerId: PlayerId, index: number): Promise<void> {
    this.#made[index] = [];
    const owned = await this.#players.enter({
      playerId,
      sessionEpoch: [1, 1],
      collections: names,
      onSaved: (revision) => this.#saved(index, revision),
      onRewrite() {},
    });
    this.#states[index] = new PlayerState(collections, owned);
  }

  #saved(index: number, revision: number): void {
    const made = this.#made[index] ?? [];
    const nowMs = this.#clock.monotonicMs();
    let told = 0;
    for (; told < made.length && (made[told]?.revision ?? 0) <= revision; told += 1) {
      this.#lagsMs.push(nowMs - (made[told]?.atMs ?? nowMs));
    }
    made.splice(0, told);
  }

  /** @returns how many changes the outbox had room for */
  #tick(keys: RunQuestion["keys"], most: number): number {
    const atMs = this.#clock.monotonicMs();
    for (let made = 0; made < most; made += 1) {
      this.#keyed += 1;
      const players = keys === "hot" ? HOT_PLAYERS : this.#states.length;
      const index = this.#keyed % players;
      const state = this.#states[index] as PlayerState;
      const round = Math.floor(this.#keyed / players);
      const name = (keys === "hot" ? names[0] : names[round % COLLECTIONS]) as string;
      try {
        state.set(name, { kills: this.#keyed, place: "north gate", at: 1_000_000 + this.#keyed });
      } catch (error) {
        if (isFailure(error, "outbox_full")) return made;
        throw error;
      }
      this.#made[index]?.push({ revision: state.revision, atMs });
    }
    return most;
  }
}

// Nothing else keeps the process until it is told where its Redis is.
process.channel?.ref();
process.once("message", async (setup: RegionSetup) => {
  const redis = new RegionRedis({
    url: setup.redisUrl,
    regionId: REGION,
    clock: systemClock,
    log: createLog("region", "error"),
    metrics: createMetrics({}),
  });
  await redis.start();
  const client = new LinkClient(new LinkIdentity(setup.credentials));
  const { nodeId } = await startHeartbeats(client, setup.link, 1);
  const region = new BenchRegion(setup, redis, client, nodeId);
  await region.loadPlayers();
  process.on("message", async (question: RunQuestion) =>
    process.send?.(await region.run(question)),
  );
  process.send?.("loaded");
});
process.send?.("ready");
