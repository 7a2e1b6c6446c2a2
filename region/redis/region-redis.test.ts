/** The region's Redis, a real one: killed, paused, and behind a connection that lets nothing through. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Writable } from "node:stream";
import { after, afterEach, before, test } from "node:test";
import { pino } from "pino";
import { TestRedis } from "../../infra/redis/test-redis.ts";
import { systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../transport/test-tickets.ts";
import { takeNodeId } from "./incarnation.ts";
import { incarnationKey } from "./keys.ts";
import { RegionRedis } from "./region-redis.ts";

let server: TestRedis;
let redis: RegionRedis;
const lines: string[] = [];
const log = pino(
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  }),
);

before(async () => {
  server = await TestRedis.start();
});
afterEach(() => {
  redis.stop();
  lines.length = 0;
});
after(() => server.stop());

function redisAt(url: string, bootDeadlineMs?: number): RegionRedis {
  const metrics = createMetrics({});
  const deadline = bootDeadlineMs === undefined ? {} : { bootDeadlineMs };
  const regionId = RegionId.parse("testing");
  redis = new RegionRedis({ url, regionId, clock: systemClock, log, metrics, ...deadline });
  return redis;
}

/** Passes bytes on, until its present connections are made to swallow them. New ones work. */
class HalfOpenProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  made = 0;

  constructor() {
    this.#server = createServer((client) => {
      this.made += 1;
      const upstream = connect(server.port, "127.0.0.1");
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on("error", () => socket.destroy());
      }
      client.on("data", (chunk) => upstream.write(chunk));
      upstream.on("data", (chunk) => client.write(chunk));
      client.on("close", () => upstream.destroy());
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const { port } = this.#server.address() as AddressInfo;
    return server.url.replace(`:${server.port}`, `:${port}`);
  }

  swallow(): void {
    for (const socket of this.#sockets) socket.removeAllListeners("data").resume();
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

test("a start beside a running Redis takes no time and warns of nothing", async () => {
  await redisAt(server.url).start();
  assert.equal(redis.state, "up");
  assert.deepEqual(lines, []);
});

test("a start without a Redis says so, and fails at its deadline", async () => {
  await assert.rejects(redisAt("redis://127.0.0.1:1", 100).start(), /did not answer within 100 ms/);
  assert.match(lines.join(), /does not answer yet/);
});

test("a Redis that is killed is down, fails fast, and is found again by itself", async () => {
  await redisAt(server.url).start();
  await server.kill();
  await until(() => redis.state === "down", "the loss");
  await assert.rejects(redis.redis.set("key", "value"), "nothing is queued while it is away");
  await server.start();
  await until(() => redis.state === "up", "the return");
  assert.match(lines.join(), /redis is down.*redis is back/s);
});

test("a Redis that is paused is down while it is", async () => {
  await redisAt(server.url).start();
  server.pause();
  await until(() => redis.state === "down", "the silence");
  server.resume();
  await until(() => redis.state === "up", "the return");
});

test("a half-open connection is replaced, and keeps none of what it was given", async () => {
  const proxy = new HalfOpenProxy();
  await redisAt(await proxy.start()).start();
  const madeAtFirst = proxy.made;
  proxy.swallow();
  await until(() => redis.state === "down", "the silence");
  await until(() => redis.state === "up", "the new connection");
  assert.ok(proxy.made > madeAtFirst);
  const { commandQueue } = redis.redis as unknown as { readonly commandQueue: { length: number } };
  assert.equal(commandQueue.length, 0);
  redis.stop();
  proxy.stop();
});

test("incarnations grow with each start, and never fall behind the clock after a loss", async () => {
  await redisAt(server.url).start();
  const region = RegionId.parse("testing");
  const take = (unixMs: number) => takeNodeId(redis.redis, region, unixMs);
  assert.equal(await take(5_000_500), "testing-5000");
  assert.equal(await take(5_000_900), "testing-5001");
  assert.equal(await take(1_000), "testing-5002", "a clock that was set back changes nothing");
  await redis.redis.del(incarnationKey(region));
  assert.equal(await take(6_000_000), "testing-6000");
});
