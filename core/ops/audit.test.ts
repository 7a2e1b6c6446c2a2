/** The audit log: what is done, what failed and what was refused is in it, and whoever tampers with it is found. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import { AuditAnswer, AuditContent, type AuditRow } from "../../shared/protocol/audit.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { type BrokenRow, chainEnd, chainStart, followChain } from "./audit-chain.ts";
import { opsCommand } from "./test-ops.ts";

const core = await startTestCore();
const owner = new pg.Client({ connectionString: core.databaseUrl });
await owner.connect();
await owner.query("set search_path = meridian");
after(async () => {
  await owner.end();
  await core.stop();
});
const ops = opsCommand(core);

async function call(method: string, path: string, token?: string, body?: unknown) {
  const response = await fetch(core.privateUrl + path, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

async function rows(): Promise<AuditRow[]> {
  return AuditAnswer.parse((await call("GET", "/ops/audit?after=0", OPERATOR_TOKEN)).body).rows;
}

async function told(): Promise<string[]> {
  return (await rows())
    .map(({ content }) => AuditContent.parse(JSON.parse(content)))
    .map((row) => {
      const how = row.dryRun ? "dry run" : row.outcome;
      return `${row.operator}: ${row.action} ${row.subject}: ${how}${row.reason ? ` (${row.reason})` : ""}`;
    });
}

function check(all: readonly AuditRow[], expected?: string): BrokenRow | undefined {
  const { state, broken } = followChain(chainStart(expected), all);
  return broken ?? chainEnd(state);
}

test("each action is recorded with what became of it, refused attempts too", async () => {
  const viewer = (
    await call("POST", "/ops/tokens", OPERATOR_TOKEN, { name: "Vera", role: "viewer" })
  ).body.token;
  const wanted = "/ops/regions/beijing/wanted";
  await call("POST", wanted, OPERATOR_TOKEN, { state: "draining", dryRun: true });
  await call("POST", wanted, OPERATOR_TOKEN, { state: "draining" });
  await call("POST", wanted, viewer, { state: "active" });
  await call("POST", "/ops/regions/beijing/fence");
  await call("POST", "/ops/regions/beijing/fence", OPERATOR_TOKEN);
  assert.equal((await call("POST", wanted, OPERATOR_TOKEN, { state: "active" })).status, 409);
  const opensAt = new Date(Date.now() + 3_600_000).toISOString();
  await call("PUT", "/ops/regions/shanghai/opening", OPERATOR_TOKEN, { opensAt });
  assert.deepEqual(await told(), [
    "bootstrap: create token Vera: done",
    "bootstrap: drain beijing: dry run",
    "bootstrap: drain beijing: done",
    "Vera: undrain beijing: refused (forbidden: undrain needs the role operator; Vera is viewer.)",
    "nobody known: fence beijing: refused (unauthorized: An operator's token is needed.)",
    "bootstrap: fence beijing: done",
    "bootstrap: undrain beijing: failed (conflict: beijing is fenced: unfence it first.)",
    "bootstrap: schedule opening shanghai: begun",
    "bootstrap: schedule opening shanghai: done",
  ]);
});

test("the command lists the log and finds the chain whole; only an admin may", async () => {
  const listed = await ops(["audit"]);
  assert.match(listed.out, /^ROW +AT +WHO +ACTION +SUBJECT +OUTCOME +DETAILS\n1 +\S+Z +bootstrap/);
  const line = (await ops(["audit", "--json"])).out.split("\n")[0] ?? "";
  assert.equal(JSON.parse(line).action, "create token");
  const { out, code } = await ops(["audit", "--verify"]);
  const head = (await rows()).at(-1);
  assert.deepEqual(
    [out, code],
    [`the chain is whole: ${head?.place} rows, head ${head?.hash}\n`, 0],
  );
  const made = await call("POST", "/ops/tokens", OPERATOR_TOKEN, { name: "Ott", role: "operator" });
  assert.equal((await call("GET", "/ops/audit?last=1", made.body.token)).status, 403);
  // A head of before is in the chain still.
  assert.equal((await ops(["audit", "--verify", "--expect", head?.hash ?? ""])).code, 0);
  const other = await ops(["audit", "--verify", "--expect", "f".repeat(64)]);
  assert.match(other.out, /^THE CHAIN IS BROKEN at row \d+: no row has the hash f/);
  assert.equal(other.code, 1);
});

test("a row that was changed, taken out, put in or cut off is named", async () => {
  const all = await rows();
  const head = all.at(-1)?.hash;
  const planted: [string, number, string | undefined][] = [
    ["update audit_log set operator_name = 'Grace' where place = 3", 3, undefined],
    ["update audit_log set details = '{\"a\": 1}' where place = 4", 4, undefined],
    ["update audit_log set at = at + interval '1 microsecond' where place = 2", 2, undefined],
    ["delete from audit_log where place = 5", 5, undefined],
    ["delete from audit_log where place = 1", 1, undefined],
    // Made anew with its own hash: the next one does not follow it.
    [
      `update audit_log a set subject = 'x', hash = sha256(previous_hash ||
         convert_to(audit_content(jsonb_populate_record(a, '{"subject": "x"}')), 'UTF8')) where place = 3`,
      4,
      undefined,
    ],
    // Cut at the end: only who knows a later head sees it.
    [`delete from audit_log where place >= ${all.length - 1}`, all.length - 1, head],
  ];
  for (const [sql, place, expected] of planted) {
    await owner.query("begin");
    await owner.query(sql);
    const { rows: seen } = await owner.query<AuditRow>(
      `select place::int, audit_content(a) as content, encode(previous_hash, 'hex') as "previousHash",
         encode(hash, 'hex') as hash from audit_log a order by place`,
    );
    await owner.query("rollback");
    assert.equal(check(seen, expected)?.place, place, sql);
  }
  assert.equal(check(await rows(), head), undefined);
});

test("whoever writes a row has no say in its place and hash; many at once make one chain", async () => {
  const before = (await rows()).length;
  await owner.query(
    `insert into audit_log (at, operator_name, action, subject, details, place, hash, previous_hash)
     values (now(), 'an old binary', 'ban', '国', '{}', 1, '', '')`,
  );
  const names = Array.from({ length: 12 }, (_, index) => ({ name: `v${index}`, role: "viewer" }));
  await Promise.all(names.map((body) => call("POST", "/ops/tokens", OPERATOR_TOKEN, body)));
  const all = await rows();
  assert.equal(all.length, before + 13);
  assert.equal(check(all), undefined);
});

test("a flood of refused calls is bounded, and told with the next row", async () => {
  const before = (await rows()).length;
  for (let n = 0; n < 80; n += 1) assert.equal((await call("GET", "/ops/status")).status, 401);
  const made = (await rows()).length - before;
  assert.ok(made > 20 && made <= 60, `${made} rows`);
});
