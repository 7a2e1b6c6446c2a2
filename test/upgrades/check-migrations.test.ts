/** Planted migrations, each of which would break binaries of the previous release or hold them up. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import type { Migration } from "../../core/db/migrate.ts";
import { createTestDatabase } from "../../core/db/test-database.ts";
import { changedReleased, checkMigrations, floorProblems, problemsOf } from "./check-migrations.ts";

const RELEASED = `
  create type mood as enum ('glad', 'sad');
  create table players (id integer primary key, name text not null, note text, level integer,
    state text not null check (state in ('here', 'gone')), seen integer not null default 0, nick text unique);
  create table friends (id integer references players, since text);
  create unique index friends_one on friends (id, since);
  create function greeting(who text) returns text language sql as $$ select 'hello ' || who $$;
  create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger players_touch before update on players for each row execute function touch();
  grant usage on schema meridian to public;
  grant select (name), update on players to public;`;
const previous = [migration(1, RELEASED)];

function migration(version: number, sql: string, change: Partial<Migration> = {}): Migration {
  return { version, name: `000${version}`, sql, compatibleFrom: 1, ...change };
}

const created = await createTestDatabase();
after(() => created.drop());

/** Of files that follow on each other, in a database of their own. */
async function check(...files: readonly string[]): Promise<string[]> {
  const database = await createTestDatabase();
  try {
    const next = [...previous, ...files.map((sql, index) => migration(index + 2, sql))];
    return await checkMigrations({ url: database.url, previous, next });
  } finally {
    await database.drop();
  }
}

const PLANTED: readonly (readonly [sql: string, found: readonly RegExp[]])[] = [
  ["drop table friends", [/table friends is gone/]],
  ["alter table friends rename to pals", [/table friends is gone/]],
  ["alter table players drop column note", [/column players\.note is gone/]],
  ["alter table players rename column note to remark", [/column players\.note is gone/]],
  [
    "alter table players alter level type bigint",
    [/column players\.level was integer, is bigint/, /all rows of players are written anew/],
  ],
  ["alter table players add nation text not null", [/nation is new, not null/]],
  [
    "alter table players alter note set not null",
    [/column players\.note is not null from now on/, /all rows are read/],
  ],
  ["alter table players alter seen drop default", [/column players\.seen has no default any more/]],
  [
    "alter table players add constraint grown check (level > 0)",
    [/constraint players\.grown refuses rows/, /all rows are checked for players\.grown/],
  ],
  [
    "alter table players add constraint grown check (level > 0) not valid",
    [/constraint players\.grown refuses rows/],
  ],
  [
    "alter table players drop constraint players_state_check, add constraint players_state_check check (state in ('here', 'away'))",
    [/constraint players\.players_state_check refuses rows/, /all rows are checked/],
  ],
  [
    "alter table players drop constraint players_nick_key",
    [/constraint players\.players_nick_key is gone/],
  ],
  ["drop index friends_one", [/unique index friends_one is gone/]],
  [
    "create unique index players_level on players (level)",
    [/unique index players_level refuses rows/, /create it concurrently/],
  ],
  [
    "create index players_level on players (level)",
    [/nobody writes while index players_level is built/],
  ],
  ["drop function greeting(text)", [/function greeting\(who text\) is gone/]],
  [
    "drop function greeting(text); create function greeting(who text) returns integer language sql as 'select 1'",
    [/function greeting\(who text\) is gone or another one/],
  ],
  ["drop trigger players_touch on players", [/trigger players\.players_touch is gone/]],
  ["revoke update on players from public", [/grant update on players to public is gone/]],
  [
    "revoke select (name) on players from public",
    [/grant select on players\.name to public is gone/],
  ],
  ["revoke usage on schema meridian from public", [/grant usage on meridian to public is gone/]],
  ["update players set level = 1", [/rows of players are changed in one go/]],
  [
    "alter table players add born timestamptz default clock_timestamp()",
    [/rows of players are written anew/],
  ],
];

test("each planted migration is found, and nothing else of it", async () => {
  assert.deepEqual(await checkMigrations({ url: created.url, previous, next: previous }), []);
  const client = new pg.Client({ connectionString: created.url });
  await client.connect();
  try {
    await client.query("set search_path = meridian");
    for (const [sql, expected] of PLANTED) {
      const found = await problemsOf(client, migration(2, sql), 1, "rollback");
      assert.equal(found.length, expected.length, `${sql}: ${found.join("; ")}`);
      for (const [index, pattern] of expected.entries()) {
        assert.match(found[index] ?? "", pattern, sql);
      }
    }
  } finally {
    await client.end();
  }
});

test("what only expands is let through", async () => {
  const files = [
    "create table guilds (id integer primary key, name text not null); create index guilds_name on guilds (name); insert into guilds values (1, 'one')",
    "alter table players add guild integer references guilds, add rank integer not null default 0, add born text check (born > '')",
    "create or replace function greeting(who text) returns text language sql as $$ select 'hi ' || who $$",
    "create trigger friends_touch before insert on friends for each row execute function touch()",
    "alter type mood add value 'calm'; grant select on friends to public; alter table players alter name drop not null",
    "alter table players alter seen set default 1; alter table friends alter since set default ''",
    `-- small: players
     alter table players drop constraint players_state_check, add constraint players_state_check check (state in ('here', 'gone', 'away'))`,
  ];
  assert.deepEqual(await check(...files), []);
});

test("an index that is built concurrently blocks nobody", async () => {
  const index = migration(2, "create index concurrently players_level on players (level)", {
    alone: true,
  });
  assert.deepEqual(
    await checkMigrations({ url: created.url, previous, next: [...previous, index] }),
    [],
  );
});

test("a contract step takes away what the previous release has replaced already, and only then", async () => {
  const drop = "alter table players drop column note";
  assert.deepEqual(await check(`-- contract_of: 1\n${drop}`), []);
  const early = await check("alter table players add remark text", `-- contract_of: 2\n${drop}`);
  assert.deepEqual(early, [
    "0003: column players.note is gone",
    "0003: contract_of: 2 is not in the previous release, which knows 1",
  ]);
  assert.deepEqual(await check("-- small: friends\nupdate players set level = 1"), [
    "0002: rows of players are changed in one go",
  ]);
});

test("what was released is not changed, and no file refuses the previous release", () => {
  assert.deepEqual(changedReleased(previous, []), ["0001: was released, and is gone"]);
  assert.deepEqual(changedReleased(previous, [migration(1, "select 1")]), [
    "0001: was released, and was changed",
  ]);
  assert.deepEqual(floorProblems(migration(2, "", { compatibleFrom: 1 }), 1), []);
  assert.match(
    floorProblems(migration(2, "", { compatibleFrom: 2 }), 1)[0] ?? "",
    /refuses the previous/,
  );
});
