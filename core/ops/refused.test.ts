/** `npm run ops -- refused …`: listed, made and dropped by operators, and audited. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, test } from "node:test";
import pg from "pg";
import { uuidV7 } from "../../shared/ids.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";

const core = await startTestCore();
const client = new pg.Client({ connectionString: core.databaseUrl });
await client.connect();
after(async () => {
  await client.end();
  await core.stop();
});
await client.query("set search_path = meridian");

/** Runs the command as an operator would. */
function ops(args: string[], token = OPERATOR_TOKEN) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "cli.ts"), ...args], {
    env: { ...process.env, MERIDIAN_OPS_URL: core.privateUrl, MERIDIAN_OPERATOR_TOKEN: token },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (bytes) => {
    out += String(bytes);
  });
  child.stderr.on("data", (bytes) => {
    err += String(bytes);
  });
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

async function refuse(standing: "held" | "released"): Promise<{ playerId: string; id: string }> {
  const playerId = uuidV7(Date.now(), randomBytes(10));
  await client.query(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [playerId],
  );
  await client.query(
    `insert into player_owners (player_id, epoch_term, epoch_n, standing, session_term, session_n,
       node_id, region_id, updated_at)
     values ($1, 1, 2, $2, 1, 2, 'beijing-1', 'beijing', now())`,
    [playerId, standing],
  );
  const add = { kills: 3 };
  const item = { playerId, stateEpoch: [1, 1], collection: "stats", format: 1, add };
  const { rows } = await client.query(
    `insert into refused_changes (producer_id, to_seq, player_id, collection, item, reason, refused_at)
     values ('beijing-0/0/1', 7, $1, 'stats', $2, 'superseded', now()) returning id`,
    [playerId, item],
  );
  return { playerId, id: String(rows[0].id) };
}

test("a change is listed, made, and then listed no more", async () => {
  assert.equal((await ops(["refused", "list"])).out, "No refused change is unresolved.\n");
  const { playerId, id } = await refuse("released");
  const listed = await ops(["refused", "list"]);
  assert.match(listed.out, /^ID +REFUSED +REASON +PLAYER +COLLECTION +CHANGE\n/);
  assert.match(listed.out, new RegExp(`${id} .*superseded +${playerId} +stats +.*"kills":3`));
  const json = JSON.parse((await ops(["refused", "list", "--player", playerId, "--json"])).out);
  assert.deepEqual(json[0].change.add, { kills: 3 });
  const applied = await ops(["refused", "apply", id]);
  assert.deepEqual([applied.out, applied.err], [`change ${id} is made.\n`, ""]);
  const { rows } = await client.query("select fields from player_documents where player_id = $1", [
    playerId,
  ]);
  assert.deepEqual(rows[0].fields, { kills: 3 });
  assert.equal((await ops(["refused", "list"])).out, "No refused change is unresolved.\n");
  const again = await ops(["refused", "drop", id]);
  assert.deepEqual([again.code, again.err], [1, `ops: No refused change ${id} is unresolved.\n`]);
  const audit = await client.query("select action from audit_log where subject = $1", [playerId]);
  assert.deepEqual(audit.rows, [{ action: "apply refused change" }]);
});

test("while a node holds the player it is refused in one clear line; dropping is not", async () => {
  const { id } = await refuse("held");
  const held = await ops(["refused", "apply", id]);
  const line = "ops: beijing-1 holds the player: try again when they have left.\n";
  assert.deepEqual([held.code, held.err], [1, line]);
  assert.equal((await ops(["refused", "drop", id])).out, `change ${id} is dropped.\n`);
});

test("it takes an operator, and an id", async () => {
  const made = await ops(["token", "create", "--name", "Vera", "--role", "viewer"]);
  const refused = await ops(["refused", "list"], made.out.trim());
  assert.match(refused.err, /needs the role operator; Vera is viewer/);
  assert.match((await ops(["refused", "apply"])).err, /give the change's id/);
  assert.match((await ops(["refused", "fly", "1"])).err, /there is no command/);
});
