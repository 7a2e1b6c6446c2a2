/**
 * The database's primary dies under a player: the standby follows with everything that was acknowledged, the core
 * comes back under the next term, and the room has not noticed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { signalProcess } from "../../infra/process/pid.ts";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import { until } from "../until.ts";
import { allRegionsActive, worldForTests } from "../world.ts";

const world = worldForTests({
  regions: 1,
  standby: true,
  restartDelayMs: 250,
  env: { LOG_LEVEL: "warn" },
});

/** A core starts anew meanwhile, on a machine that may be busy. */
const PATIENT_MS = 60_000;

async function ask<Row extends pg.QueryResultRow>(text: string): Promise<Row | undefined> {
  const client = new pg.Client({
    connectionString: world().databaseUrl,
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.query<Row>(text)).rows[0];
  } finally {
    await client.end().catch(() => {});
  }
}

const termNow = async () =>
  Number((await ask<{ term: string }>("select term from meridian.core_term"))?.term);

test("a killed primary: nobody is disconnected, and everything acknowledged is there", async (t) => {
  const meridian = new Meridian({ url: world().core.url });
  await meridian.logIn({ name: "Ada" });
  const play = await meridian.join<ArenaState>("arena");
  t.after(() => play.leave());
  await until("it is promotable", () => world().databasePair?.mark.promotable, PATIENT_MS);
  const term = await termNow();
  const { pid } = world().postgres ?? {};
  assert.ok(pid);
  const killedMs = performance.now();
  signalProcess(pid, "SIGKILL");

  const bob = await until(
    "somebody new can log in",
    async () => {
      const other = new Meridian({ url: world().core.url });
      try {
        await other.logIn({ name: "Bob" });
        return other;
      } catch {
        // The core is not back yet.
        return undefined;
      }
    },
    PATIENT_MS,
  );
  t.diagnostic(`logs in again after ${Math.round(performance.now() - killedMs)} ms`);
  assert.ok((await termNow()) > term, "the term has risen");
  await allRegionsActive(world());
  const second = await bob.join<ArenaState>("arena");
  t.after(() => second.leave());
  assert.equal(play.connection.phase, "playing");
  const seen = await ask<{ count: string }>(
    "select count(*) from meridian.players where name in ('Ada', 'Bob')",
  );
  assert.equal(seen?.count, "2");
  const follows = () => world().databasePair?.mark.promotable;
  await until("the former primary is the standby", follows, PATIENT_MS);
});
