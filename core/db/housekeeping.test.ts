import assert from "node:assert/strict";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { Housekeeping, type HousekeepingLimits } from "./housekeeping.ts";
import { startTestDatabase } from "./test-database.ts";

const created = await startTestDatabase();
after(() => created.drop());
const { database } = created;

function housekeeping(limits?: HousekeepingLimits) {
  const metrics = createMetrics({});
  const log = createLog("test", "silent");
  const deps = { database, clock: systemClock, log, metrics };
  return { metrics, part: new Housekeeping(limits ? { ...deps, limits } : deps) };
}

async function makeOld(players: number): Promise<void> {
  await database.run(
    `insert into players (id, name, ephemeral, created_at)
     select gen_random_uuid(), 'Old', true, now() - interval '30 days'
     from generate_series(1, $1)`,
    [players],
  );
}

async function left(): Promise<number> {
  const [row] = await database.rows<{ left: number }>('select count(*) as "left" from players');
  return row?.left ?? -1;
}

test("one round deletes all there is, however many batches that takes", async () => {
  await makeOld(5_000);
  await housekeeping().part.run();
  assert.equal(await left(), 0);
});

test("a round is bounded, says when it leaves rows, and the next goes on", async () => {
  await makeOld(7);
  const { part, metrics } = housekeeping({ batchRowsMax: 2, batchesMax: 2, restMs: 1 });
  await part.run();
  assert.equal(await left(), 3);
  const text = await metrics.metrics();
  assert.match(text, /meridian_housekeeping_behind_total\{what="ephemeral_players"\} 1/);
  await part.run();
  assert.equal(await left(), 0);
});

test("closed outboxes and resolved refusals go after a time, others stay", async () => {
  await database.run(
    `insert into producers (producer_id, region_id, last_seq, closed_at, updated_at) values
       ('beijing-1/0/1', 'beijing', 1, now() - interval '31 days', now()),
       ('beijing-1/0/2', 'beijing', 1, now() - interval '29 days', now()),
       ('beijing-1/0/3', 'beijing', 1, null, now() - interval '99 days')`,
  );
  await database.run(
    `insert into refused_changes (producer_id, to_seq, player_id, collection, item, reason,
       refused_at, resolved_at, resolved_by, resolution)
     select 'beijing-1/0/1', n, gen_random_uuid(), 'stats', '{}'::jsonb, 'superseded', now(),
       now() - (n * interval '1 day'), 'Grace', 'dropped' from unnest(array[89, 91]) n
     union all
     select 'beijing-1/0/1', 3, gen_random_uuid(), 'stats', '{}'::jsonb, 'superseded',
       now() - interval '1 year', null, null, null`,
  );
  await housekeeping().part.run();
  const outboxes = await database.rows("select producer_id as id from producers order by 1");
  assert.deepEqual(
    outboxes.map(({ id }) => id),
    ["beijing-1/0/2", "beijing-1/0/3"],
  );
  const refusals = await database.rows("select to_seq from refused_changes order by 1");
  assert.deepEqual(
    refusals.map(({ to_seq }) => to_seq),
    [3, 89],
  );
});

test("changes of players go after an hour; of old guests' deletion there are none", async () => {
  await database.run("delete from player_changes");
  await makeOld(3);
  await database.run(
    `insert into player_changes (xid, player_id, made, changed_at)
     select n::text::xid8, gen_random_uuid(), false, now() - interval '61 minutes'
     from generate_series(1, 5) n`,
  );
  await housekeeping({ batchRowsMax: 2, batchesMax: 10, restMs: 1 }).part.run();
  const rows = await database.rows<{ made: boolean }>("select made from player_changes");
  assert.deepEqual(rows, [{ made: true }, { made: true }, { made: true }]);
});
