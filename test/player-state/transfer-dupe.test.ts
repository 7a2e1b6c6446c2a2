/**
 * The transfer dupe: a player goes from one node to another, and what they carry is in both places, or in
 * none, because the first one failed half-way. Here it fails at every step at which something becomes
 * durable, in a real Redis, on a real link, before a real PostgreSQL; and it may turn out to live after all.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, suite, type TestContext, test } from "node:test";
import pg from "pg";
import { startTestCore, type TestCore } from "../../core/test-core.ts";
import { TestRedis } from "../../infra/redis/test-redis.ts";
import { RegionRedis } from "../../region/redis/region-redis.ts";
import type { PlayerState } from "../../region/rooms/player-state.ts";
import { systemClock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../until.ts";
import { REGION, TestRegion } from "./test-region.ts";

/** Where the former owner fails, after it took ten gold from the player and before the next one plays. */
const STEPS = [
  "before the change is written down",
  "after the change is written down",
  "after the marker is written down",
  "before the batch reaches the core",
  "after the batch was applied, before its answer",
  "after the answer, before the stream is trimmed",
] as const;
type Step = (typeof STEPS)[number];

let core: TestCore;
let database: pg.Client;
let serial = 0;

before(async () => {
  core = await startTestCore();
  database = new pg.Client({
    connectionString: core.databaseUrl,
    options: "-c search_path=meridian",
  });
  await database.connect();
});
after(async () => {
  await database.end();
  await core.stop();
});

/** A Redis of the test's own: no other test's node sends on what a node of this one left. */
async function startRedis(t: TestContext): Promise<RegionRedis> {
  const server = await TestRedis.start();
  const log = createLog("region", "silent");
  const metrics = createMetrics({});
  const { url } = server;
  const redis = new RegionRedis({ url, regionId: REGION, clock: systemClock, log, metrics });
  await redis.start();
  t.after(async () => {
    redis.stop();
    await server.stop();
  });
  return redis;
}

async function newNode(t: TestContext, redis: RegionRedis): Promise<TestRegion> {
  serial += 1;
  const own = serial;
  const issued = await core.authority.issue({ role: "region", regionId: REGION });
  const identity = new LinkIdentity({ ca: core.authority.caPem, ...issued });
  const options = { identity, coreAddress: core.linkAddress, redis };
  const node = await TestRegion.start(own, options);
  t.after(() => node.die());
  return node;
}

async function newPlayer(): Promise<PlayerId> {
  const id = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
  await database.query(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [id],
  );
  await database.query(
    "insert into sessions (player_id, epoch_term, epoch_n, updated_at) values ($1, 1, 9, now())",
    [id],
  );
  return id;
}

/** Lets the node do everything up to that step, and nothing after it. */
async function failAt(step: Step, node: TestRegion, state: PlayerState, leave: () => void) {
  const { outbox } = node.parts;
  const lost = () => Promise.reject(new MeridianError("timeout"));
  let isReached = false;
  if (step.endsWith("reaches the core") || step.endsWith("written down")) {
    node.meddle = (path, call) => {
      if (path !== "/link/batch") return call();
      isReached = true;
      return lost();
    };
  } else if (step.startsWith("after the batch")) {
    node.meddle = async (path, call) => {
      await call();
      isReached ||= path === "/link/batch";
      return lost();
    };
  }
  state.add("bag", "gold", -10);
  if (step === "before the change is written down") return;
  if (step !== "after the change is written down") leave();
  outbox.flush();
  if (step === "after the answer, before the stream is trimmed") {
    await until("it is at the core", () => outbox.backlog.items === 0);
  } else await until("the step is reached", () => isReached);
}

const CASES = STEPS.flatMap((step) =>
  (["dead", "a zombie"] as const).map((fate) => ({ step, fate })),
);

// Several at once: what takes time is that a node is taken for dead.
suite("a player goes to the next owner", { concurrency: 4 }, () => {
  for (const { step, fate } of CASES) {
    test(`the former owner fails ${step}, and is ${fate}`, async (t) => {
      const redis = await startRedis(t);
      const ada = await newPlayer();
      const [from, to] = [await newNode(t, redis), await newNode(t, redis)];
      const left = await from.own(ada, [1, 1]);
      left.set("bag", { gold: 50 });
      await until("the fifty are saved", () => left.savedRevision === left.revision);
      await failAt(step, from, left, () => left.leave());
      if (fate === "dead") await from.die();
      else await from.fallSilent();

      const next = await to.own(ada, [1, 2]);
      const { gold } = next.get("bag");
      const isLost = step === STEPS[0] && fate === "dead";
      assert.equal(gold, isLost ? 50 : 40, "what was written down is there, once");
      next.add("bag", "gold", 5);
      await until("the next owner's change is saved", () => next.savedRevision === next.revision);
      await requireHarmless(from, left, fate);
      assert.deepEqual(await stored(ada), { gold: Number(gold) + 5 });
    });
  }
});

/** Whatever a former owner that lives does afterwards is refused, here or at the core. */
async function requireHarmless(from: TestRegion, left: PlayerState, fate: string): Promise<void> {
  if (fate === "dead") return;
  from.meddle = (_path, call) => call();
  try {
    left.set("bag", { gold: 9_999 });
  } catch (error) {
    assert.ok(isFailure(error, "session_taken_over"));
  }
  from.parts.outbox.flush();
  await until("its outbox is empty", () => from.parts.outbox.backlog.items === 0);
}

async function stored(playerId: PlayerId): Promise<unknown> {
  const { rows } = await database.query(
    "select fields from player_documents where player_id = $1 and collection = 'bag'",
    [playerId],
  );
  return rows[0]?.fields;
}
