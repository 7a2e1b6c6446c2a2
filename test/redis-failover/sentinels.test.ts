/** One connection to a group, and real Sentinels: gone, lying, or naming one master after the other. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import type { GroupProcess } from "../../infra/redis/group-process.testkit.ts";
import { pingRedis } from "../../infra/redis/ping.ts";
import { TestRedisGroup } from "../../infra/redis/sentinel.testkit.ts";
import { systemClock } from "../../shared/clock.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { RedisConnection } from "../../shared/redis/connection.ts";
import { RedisMetrics } from "../../shared/redis/metrics.ts";
import { until } from "../until.ts";

const KEY = "meridian:testing:key";
const ends: (() => unknown)[] = [];
let group: TestRedisGroup;

before(async () => {
  group = await TestRedisGroup.start();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
after(() => group.stop());

function connectionTo(url: string) {
  const metrics = createMetrics({});
  const noMaster: string[] = [];
  const connection = new RedisConnection({
    url,
    name: "testing",
    clock: systemClock,
    metrics: new RedisMetrics(metrics, "region"),
    onNoMaster: (error) => noMaster.push(error?.message ?? ""),
  });
  ends.push(() => connection.stop());
  const heard = async () => {
    const [, count] = /redis_sentinels\{[^}]*\} (\d)/.exec(await metrics.metrics()) ?? [];
    return Number(count);
  };
  return { connection, noMaster, heard };
}

/** What a write of its own finds. */
async function written(connection: RedisConnection, value: string): Promise<void> {
  await until("a write is taken", () => connection.redis.set(KEY, value).catch(() => undefined));
  const master = await group.master();
  assert.equal(await master.ask("GET", KEY), value, "it is with the master");
}

/** In place of a Sentinel: answers whatever it is asked by that, if by anything. */
async function liar(answer: string | undefined): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("data", () => answer !== undefined && socket.write(answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

test("Sentinels that lie, stammer or say nothing are passed over", async () => {
  const master = await group.master();
  const replica = group.servers.find((server) => server !== master) as GroupProcess;
  const [first, ...rest] = group.sentinels.map(({ at }) => at.port);
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
  const ok = "+OK\r\n";
  const liars = await Promise.all([
    liar(undefined),
    liar("?what\r\n"),
    liar(`${ok}*2\r\n${bulk("127.0.0.1")}${bulk("none")}`),
    liar(`${ok}*-1\r\n`),
    // One that is behind, and names what is a replica by now.
    liar(`${ok}*2\r\n${bulk("127.0.0.1")}${bulk(`${replica.at.port}`)}`),
  ]);
  const { connection } = connectionTo(group.urlBy([...liars, first as number, ...rest]));
  await connection.start();
  await written(connection, "found");
  assert.equal(await connection.check(), true);
});

test("a master that is paused is left, twice in a row; what it wakes up to be is not written to", async () => {
  const { connection, heard } = connectionTo(group.url);
  await connection.start();
  await until("all are listened to", async () => (await heard()) === 3);
  for (const value of ["first", "second"]) {
    const old = await group.master();
    old.pause();
    await group.failedOver(old);
    await written(connection, value);
    old.resume();
    await until("it follows", () => old.follows());
    await written(connection, `${value}, and the old one is back`);
  }
});

test("with all Sentinels gone a connection stays; a new one is waited for, and that is told", async () => {
  const { connection, noMaster, heard } = connectionTo(group.url);
  await connection.start();
  const master = await group.master();
  await Promise.all(group.sentinels.map((sentinel) => sentinel.kill()));
  await until("they are missed", async () => (await heard()) === 0);
  assert.equal(await connection.redis.set(KEY, "kept"), "OK");
  assert.equal(await connection.check(), true);
  assert.deepEqual(noMaster, []);
  await assert.rejects(pingRedis(group.url), /sentinels are unreachable/);

  await master.ask("CLIENT", "KILL", "TYPE", "normal");
  await until("it is told", () => noMaster.length > 0);
  assert.match(noMaster.join(), /^failed to connect to sentinel .*ECONNREFUSED|closed/);
  await assert.rejects(connection.redis.set(KEY, "none is queued"));
  assert.equal(await connection.check(), false);
  const boot = connectionTo(group.url);
  await boot.connection.start();
  assert.equal(boot.connection.up, false, "a start is not held up");
  await Promise.all(group.sentinels.map((sentinel) => sentinel.start()));
  await until("it is back", () => connection.check());
  await until("a new one, too", () => boot.connection.check());
  await until("all are listened to", async () => (await heard()) === 3);
  assert.equal(await connection.redis.get(KEY), "kept");
  await pingRedis(group.url);
  assert.equal(noMaster.length, 1, "once");
});
