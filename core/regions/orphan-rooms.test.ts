/** Rooms whose node is gone end, also when no core was there to see it go. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import { nodeIdOf, RegionId } from "../../shared/ids.ts";
import { ClaimAnswer } from "../../shared/protocol/link.ts";
import { until } from "../../test/until.ts";
import { createTestDatabase } from "../db/test-database.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion, type TestRegion } from "../test-region.ts";

const created = await createTestDatabase();
after(() => created.drop());
const env = {
  DATABASE_URL: created.url,
  MASTER_KEY: Buffer.alloc(32, 3).toString("base64"),
};

function claim(region: TestRegion, core: { linkAddress: string }, roomId: string) {
  return region.client.call({
    address: core.linkAddress,
    peer: { role: "core" },
    path: "/link/claim",
    body: { claimId: `claim-${roomId}`, roomId, game: "arena", nodeId: region.nodeId },
    answer: ClaimAnswer,
    deadlineMs: 5_000,
  });
}

async function openRooms(): Promise<string[]> {
  const client = new pg.Client({ connectionString: created.url });
  await client.connect();
  try {
    const sql = "select room_id from meridian.rooms where ended_at is null order by room_id";
    return (await client.query<{ room_id: string }>(sql)).rows.map((row) => row.room_id);
  } finally {
    await client.end();
  }
}

async function untilOpen(expected: string[]): Promise<void> {
  const endMs = performance.now() + 8_000;
  for (;;) {
    const open = await openRooms();
    if (JSON.stringify(open) === JSON.stringify(expected)) return;
    if (performance.now() > endMs) assert.deepEqual(open, expected);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a node that died around a restart of the core leaves no open rooms, its sibling keeps its own", async () => {
  const before = await startTestCore(env);
  const dying = await startTestRegion({ core: before, name: "beijing" });
  const sibling = await startTestRegion({ core: before, name: "beijing", incarnation: 2 });
  const relayed = await startTestRegion({ core: before, name: "shanghai" });
  for (const region of [dying, sibling, relayed]) {
    await region.heartbeat();
    await claim(region, before, `room-of-${region.nodeId}`);
  }
  await before.stop();
  await dying.stop();
  await sibling.stop();
  await relayed.stop();
  const all = ["room-of-beijing-1", "room-of-beijing-2", "room-of-shanghai-1"];
  assert.deepEqual(await openRooms(), all);

  const restarted = await startTestCore(env);
  const same = await startTestRegion({ core: restarted, name: "beijing", incarnation: 2 });
  await same.beat();
  // One that finds its way only when it is missed already keeps its room.
  await until("both are missed", async () => {
    const text = await (await fetch(`${restarted.privateUrl}/metrics`)).text();
    return /^meridian_failovers_under_way\S* 2$/m.test(text);
  });
  const found = await startTestRegion({ core: restarted, name: "shanghai" });
  await found.beat();
  await untilOpen(["room-of-beijing-2", "room-of-shanghai-1"]);

  // The next node comes after the grace, when the one before was never heard of again.
  const next = await startTestRegion({ core: restarted, name: "beijing", incarnation: 3 });
  await next.heartbeat();
  await claim(next, restarted, "room-of-beijing-3");
  await next.heartbeat({ nodeId: nodeIdOf(RegionId.parse("beijing"), 4) });
  await untilOpen(["room-of-beijing-2", "room-of-shanghai-1"]);
  await same.stop();
  await found.stop();
  await next.stop();
  await restarted.stop();
});
