/** The core starts without a Redis of its own, and beside one that does not answer. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { freePort } from "../../infra/process/port.ts";
import { TestRedis } from "../../infra/redis/test-redis.ts";
import { systemClock } from "../../shared/clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { AdmissionRedis } from "./admission-redis.ts";

function redisAt(url: string | undefined) {
  const log = createLog("core", "silent");
  const lines: unknown[] = [];
  for (const level of ["info", "warn", "error"] as const) {
    mock.method(log, level, (...args: unknown[]) => lines.push(args.at(-1)));
  }
  const metrics = createMetrics({});
  const redis = new AdmissionRedis({ url, clock: systemClock, log, metrics });
  return { redis, lines, metrics };
}

test("without a Redis there is none, which is said once", async () => {
  const { redis, lines } = redisAt(undefined);
  await redis.start();
  redis.stop();
  assert.deepEqual([redis.queue, redis.seats], [undefined, undefined]);
  assert.deepEqual(lines, [
    "no ADMISSION_REDIS_URL: the queue lives in memory and by its tokens alone",
  ]);
});

test("one that does not answer holds up no start", async () => {
  const { redis, lines } = redisAt(`redis://127.0.0.1:${await freePort()}`);
  await redis.start();
  redis.stop();
  assert.equal(redis.queue?.up, false);
  assert.deepEqual(lines, ["admission's redis does not answer yet: the queue begins without it"]);
});

test("its loss and its return are told", async () => {
  const server = await TestRedis.start({ user: "core" });
  const { redis, lines, metrics } = redisAt(server.url);
  try {
    await redis.start();
    assert.match(await metrics.metrics(), /core_redis_up\{connection="seats"\} 1/);
    await server.kill();
    await until("the loss", () => lines.join().includes("is down"));
    assert.match(await metrics.metrics(), /core_redis_up\{connection="queue"\} 0/);
    await server.start();
    await until("the return", () => lines.at(-1) === "admission's redis is back");
  } finally {
    redis.stop();
    await server.stop();
  }
});
