/** What is changed while commits are guarded: all of it or none, and its own errors stay its own. */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import pg from "pg";
import { isFailure } from "../../shared/errors.ts";
import { REQUIRE_LEADER } from "../leadership/lease-store.ts";
import type { Sql } from "./database.ts";
import { startTestDatabase } from "./test-database.ts";

const { database, url, drop } = await startTestDatabase();
const owner = new pg.Client({ connectionString: url, options: "-c search_path=meridian" });
await owner.connect();
after(async () => {
  await owner.end();
  await drop();
});
let refusals = 0;
database.guardCommits({
  text: REQUIRE_LEADER,
  values: [7, 1],
  onRefused() {
    refusals += 1;
  },
});
beforeEach(async () => {
  refusals = 0;
  await owner.query("delete from operator_tokens");
  await owner.query("update leader set term = 7, core_term = 1");
});

function add(sql: Sql, id: string): Promise<number> {
  return sql.run(
    `insert into operator_tokens (id, name, role, token_hash, created_at)
     values ($1, 'Ada', 'viewer', '\\x00', now())`,
    [id],
  );
}

async function count(): Promise<number> {
  return (await owner.query("select from operator_tokens")).rowCount ?? 0;
}

const ONE = "00000000-0000-7000-8000-000000000001";
const ways = {
  "a statement": () => add(database, ONE),
  "a statement that gives rows": () =>
    database.rows(
      "with added as (select 1) insert into operator_tokens (id, name, role, token_hash, created_at) values ($1, 'Ada', 'viewer', '\\x00', now()) returning id",
      [ONE],
    ),
  "a transaction": () => database.transaction((tx) => add(tx, ONE)),
};

for (const [what, write] of Object.entries(ways)) {
  test(`${what} of the leader is committed, and its own mistake is told as such`, async () => {
    await write();
    assert.equal(await count(), 1);
    await assert.rejects(write, { code: "23505" }, "the id is taken");
    assert.deepEqual([await count(), refusals], [1, 0]);
    assert.deepEqual(await database.rows("select 1 as one"), [{ one: 1 }], "connections are whole");
  });

  test(`${what} of a former leader changes nothing, and it hears so`, async () => {
    const former = [
      "update leader set term = 8",
      "update leader set term = 7, core_term = 2",
      "update core_term set term = 2",
    ];
    for (const sql of former) {
      await owner.query(sql);
      await assert.rejects(write, (error) => isFailure(error, "unavailable"), sql);
    }
    assert.deepEqual([await count(), refusals], [0, former.length]);
    await owner.query("update core_term set term = 1");
    assert.deepEqual(await database.rows("select count(*) as n from operator_tokens"), [{ n: 0 }]);
  });
}

test("who takes the lead waits for a commit that is under way, and none comes after", async () => {
  await owner.query("begin");
  await owner.query("select pg_advisory_xact_lock(7300007)");
  const late = assert.rejects(add(database, ONE), (error) => isFailure(error, "unavailable"));
  await owner.query("update leader set term = 8");
  await owner.query("commit");
  await late;
  assert.equal(await count(), 0);
});
