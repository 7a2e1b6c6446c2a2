/** What games keep of a player is the player's data: given out with it, and gone with it. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import { startTestCore } from "../test-core.ts";
import { callsOf } from "./test-calls.ts";

const core = await startTestCore();
const client = new pg.Client({ connectionString: core.databaseUrl });
await client.connect();
await client.query("set search_path = meridian");
after(async () => {
  await client.end();
  await core.stop();
});
const { done } = callsOf(core);

test("documents and refused changes are in the export, and go with the account", async () => {
  const guest = await done("/v1/guests", { name: "Ada", device: "phone" });
  const { playerId } = guest;
  const item = { playerId, stateEpoch: [1, 1], collection: "stats", format: 1, set: { kills: 1 } };
  await client.query(
    "insert into player_documents values ($1, 'stats', 2, 5, '{\"kills\": 7}', now())",
    [playerId],
  );
  await client.query(
    `insert into player_owners values
       ($1, 1, 2, 'held', 'some-load', 1, 1, 'beijing-1', 'beijing', now())`,
    [playerId],
  );
  await client.query(
    `insert into refused_changes (producer_id, to_seq, player_id, collection, item, reason, refused_at)
     values ('beijing-1/0/1', 1, $1, 'stats', $2, 'superseded', '2026-01-02T03:04:05Z')`,
    [playerId, item],
  );
  const call = { token: guest.accessToken };
  const proof = { secret: guest.secret };
  const data = await done("/v1/me/export", { proof }, call);
  const stats = { collection: "stats", format: 2, version: 5, fields: { kills: 7 } };
  assert.deepEqual(data.documents, [stats]);
  assert.deepEqual(data.refusedChanges, [
    { change: item, reason: "superseded", at: "2026-01-02T03:04:05.000Z" },
  ]);
  await done("/v1/me/delete", { proof }, call);
  for (const table of ["player_documents", "player_owners", "refused_changes"]) {
    const { rows } = await client.query(`select 1 from ${table} where player_id = $1`, [playerId]);
    assert.deepEqual(rows, [], table);
  }
});
