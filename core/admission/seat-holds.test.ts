/**
 * Seats that are being taken, in a real Redis.
 *
 * TEST_SEED=<number> replays a run, RUNS=<number> sets how many cases are tried.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { Redis } from "ioredis";
import { TestRedis } from "../../infra/redis/test-redis.ts";
import { systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { AdmissionRedis } from "./admission-redis.ts";
import { seatHoldsKey } from "./redis-keys.ts";
import { RedisSeatHolds } from "./seat-holds.ts";

const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const numRuns = Number(process.env.RUNS ?? 60);
const log = createLog("core", "silent");
/** A time of the core's clock that is not Redis' own. */
const NOW_MS = 1_700_000_000_000;

let server: TestRedis;
let admin: Redis;
const cores: AdmissionRedis[] = [];
let regions = 0;

before(async () => {
  server = await TestRedis.start({ user: "core" });
  admin = new Redis(server.adminUrl);
  admin.on("error", () => {});
});
after(async () => {
  for (const redis of cores) redis.stop();
  admin.disconnect();
  await server.stop();
});

async function core() {
  const metrics = createMetrics({});
  const redis = new AdmissionRedis({ url: server.url, clock: systemClock, log, metrics });
  await redis.start();
  cores.push(redis);
  assert.ok(redis.seats);
  const connection = redis.seats;
  const holds = new RedisSeatHolds({ connection, clock: systemClock, log, metrics });
  return { holds, connection, metrics };
}

/** One without holds. */
function region(): RegionId {
  regions += 1;
  return RegionId.parse(`region-${regions}`);
}

/** What the script has to do, said plainly. */
class NaiveHolds {
  readonly #untilMs = new Map<string, number>();

  take(ids: readonly string[], free: number, untilMs: number, nowMs: number): boolean {
    for (const [id, lapsesMs] of this.#untilMs) if (lapsesMs <= nowMs) this.#untilMs.delete(id);
    const all = new Set([...this.#untilMs.keys(), ...ids]);
    if (all.size > this.#untilMs.size && all.size > free) return false;
    for (const id of ids) this.#untilMs.set(id, Math.max(untilMs, this.#untilMs.get(id) ?? 0));
    return true;
  }

  release(ids: readonly string[]): void {
    for (const id of ids) this.#untilMs.delete(id);
  }
}

const ids = fc.array(fc.integer({ min: 1, max: 8 }).map(String), { minLength: 1, maxLength: 4 });
const step = fc.record({
  ids,
  free: fc.integer({ min: 0, max: 8 }),
  afterMs: fc.integer({ min: 0, max: 3_000 }),
  forMs: fc.integer({ min: 1, max: 5_000 }),
  what: fc.constantFrom("take", "take", "take", "release"),
});

test("the script does what a plain model does, for any history", async () => {
  const { holds } = await core();
  const histories = fc.array(step, { minLength: 1, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(histories, async (steps) => {
      const [regionId, naive] = [region(), new NaiveHolds()];
      let nowMs = NOW_MS;
      for (const { ids, free, afterMs, forMs, what } of steps) {
        nowMs += afterMs;
        if (what === "release") {
          holds.release(regionId, ids);
          naive.release(ids);
          continue;
        }
        const taken = await holds.take(regionId, ids, free, nowMs + forMs, nowMs);
        assert.equal(taken, naive.take(ids, free, nowMs + forMs, nowMs));
      }
      // Time in Redis goes on by itself; here it jumped.
      await admin.del(seatHoldsKey(regionId));
    }),
    { seed, numRuns },
  );
});

test("a hold lapses, a held id is had again, and a party gets all or nothing", async () => {
  const { holds } = await core();
  const regionId = region();
  const take = (ids: string[], free: number, nowMs: number) =>
    holds.take(regionId, ids, free, nowMs + 5_000, nowMs);
  assert.equal(await take(["a"], 3, NOW_MS), true);
  assert.equal(await take(["b", "c", "d"], 3, NOW_MS), false);
  assert.equal(await take(["b", "c"], 3, NOW_MS), true);
  assert.equal(await take(["a", "b"], 0, NOW_MS + 1_000), true, "held, whatever is free now");
  assert.equal(await take(["d"], 3, NOW_MS + 4_999), false);
  assert.equal(await take(["d"], 3, NOW_MS + 5_000), true, "c has lapsed, a and b were renewed");
  assert.equal(await take(["e"], Number.POSITIVE_INFINITY, NOW_MS + 5_000), true);
  const ttl = await admin.pttl(seatHoldsKey(regionId));
  assert.ok(ttl > 0 && ttl <= 5_000, `${ttl} ms`);
});

test("two cores at once never hold more than is free", async () => {
  const both = [await core(), await core()];
  const regionId = region();
  const asked = Array.from({ length: 200 }, (_, n) => `seat-${n}`);
  const taken = await Promise.all(
    asked.map((id, n) => both[n % 2]?.holds.take(regionId, [id], 50, NOW_MS + 5_000, NOW_MS)),
  );
  assert.equal(taken.filter((is) => is).length, 50);
  assert.equal(await admin.zcard(seatHoldsKey(regionId)), 50);
});

test("while Redis is away the regions decide; afterwards the script is there again", async () => {
  const { holds, connection, metrics } = await core();
  const regionId = region();
  const take = (id: string) => holds.take(regionId, [id], 1, NOW_MS + 60_000, NOW_MS);
  assert.equal(await take("a"), true);
  assert.equal(await take("b"), false);
  await server.kill();
  assert.equal(await take("b"), true);
  await until("the loss", () => !connection.up);
  assert.equal(await take("b"), true);
  holds.release(regionId, ["a"]);
  await server.start();
  await until("the return", () => connection.up);
  assert.equal(await take("c"), true);
  assert.equal(await take("b"), false);
  assert.match(await metrics.metrics(), /seat_holds_total\{outcome="failed"\} 1/);
});
