/** The world's Redis servers: real ones, in a temporary folder. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import { RegionId } from "../../shared/ids.ts";
import { until } from "../../test/until.ts";
import { isAlive } from "../process/pid.ts";
import { TestRedis } from "../redis/test-redis.ts";
import { endLeftovers, openRedis } from "./stores.ts";
import { WorldParts } from "./world-parts.ts";

const beijing = RegionId.parse("beijing");

async function ask<T>(url: string, question: (client: Redis) => Promise<T>): Promise<T> {
  const options = { enableReadyCheck: false, disableClientInfo: true, retryStrategy: () => null };
  const client = new Redis(url, options);
  // The question's own failure is what counts.
  client.on("error", () => {});
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}

test("the core has a Redis of its own, which is started again with its data", async () => {
  const dir = mkdtempSync(join(tmpdir(), "meridian-stores-"));
  const lines: string[] = [];
  const parts = new WorldParts((line) => lines.push(line), 50);
  try {
    const { urls, coreUrl, coreProcess, processes } = await openRedis(
      dir,
      undefined,
      [beijing],
      parts,
    );
    assert.equal(new URL(urls.get(beijing) ?? "").username, "region");
    assert.equal(new URL(coreUrl).username, "core");
    await ask(coreUrl, (client) => client.set("meridian:core:kept", "1"));
    const pid = coreProcess?.pid;
    coreProcess?.kill("SIGKILL");
    await until("the restart", () => coreProcess?.pid !== undefined && coreProcess.pid !== pid);
    const kept = () => ask(coreUrl, (client) => client.get("meridian:core:kept"));
    await until("the data, at the same port", async () => (await kept()) === "1");
    assert.match(lines.join("\n"), /redis core ended \(SIGKILL\); the queue lives in memory/);

    const regionPid = processes.get(beijing)?.pid ?? 0;
    const corePid = coreProcess?.pid ?? 0;
    await endLeftovers(dir, { postgres: true, redis: [] });
    assert.deepEqual([isAlive(regionPid), isAlive(corePid)], [false, true], "a core's is kept");
    const stopping = parts.stop();
    await endLeftovers(dir, { postgres: true, redis: undefined });
    assert.equal(isAlive(corePid), false);
    await stopping;
  } finally {
    await parts.stop();
    rmSync(dir, { recursive: true });
  }
});

test("of a user's own Redis the core gets the database after those of the regions", async () => {
  const given = await TestRedis.start();
  try {
    const parts = new WorldParts(() => {}, 50);
    const ids = [beijing, RegionId.parse("shanghai")];
    const opened = await openRedis("unused", `${given.adminUrl}/3`, ids, parts);
    const databases = [...opened.urls.values(), opened.coreUrl].map((url) => new URL(url).pathname);
    assert.deepEqual(databases, ["/3", "/4", "/5"]);
    assert.equal(opened.coreProcess, undefined);
    await parts.stop();
  } finally {
    await given.stop();
  }
});
