/** The operators' side of the queue: `queue`, `opening`, `player class`. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import pg from "pg";
import { RegionId } from "../../shared/ids.ts";
import type { OpeningInfo } from "../../shared/protocol/openings.ts";
import { type QueueStatus, QueueStatusAnswer } from "../../shared/protocol/ops.ts";
import { commitmentOf } from "../admission/draw.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { verifiedText } from "./cli-queue.ts";
import { openingsText, queueText } from "./queue-text.ts";

const core = await startTestCore();
const region = await startTestRegion({ core, name: "shanghai" });
before(() => region.beat({ connected: 100 }));
after(async () => {
  await region.stop();
  await core.stop();
});

/** Runs the command as an operator would. */
async function ops(...args: string[]): Promise<string> {
  const env = {
    ...process.env,
    MERIDIAN_OPS_URL: core.privateUrl,
    MERIDIAN_OPERATOR_TOKEN: OPERATOR_TOKEN,
  };
  const cli = join(import.meta.dirname, "cli.ts");
  return (await promisify(execFile)(process.execPath, [cli, ...args], { env })).stdout;
}

async function post(path: string, body: object, token?: string) {
  const headers = {
    "content-type": "application/json",
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const answer = await fetch(core.url + path, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  return await answer.json();
}

async function queued() {
  const { accessToken, playerId } = await post("/v1/guests", { name: "Ada" });
  const wish = { game: "arena", protocol: 1, mayQueue: true };
  return { playerId, enter: async () => (await post("/v1/join", wish, accessToken)).queue };
}

const NOW_MS = Date.UTC(2026, 0, 1);
const shanghai: QueueStatus = {
  regionId: RegionId.parse("shanghai"),
  waiting: [
    { class: "reconnect", players: 0 },
    { class: "supporter", players: 3 },
    { class: "normal", players: 40 },
  ],
  called: 2,
  letInPerSecond: 1.25,
  eta: { ms: 30_000, lowMs: 20_000, highMs: 41_200 },
  seats: { free: 12, forEveryone: -20, limit: 66 },
  held: 2,
  pausedUntilMs: null,
  opensAtMs: null,
};

test("the queue is a table: who waits, how fast it moves, and what holds it up", () => {
  const beijing = { ...shanghai, regionId: RegionId.parse("beijing"), waiting: [], called: 0 };
  const regions = [
    shanghai,
    { ...shanghai, seats: null, eta: null, pausedUntilMs: NOW_MS + 12_000 },
    { ...beijing, opensAtMs: NOW_MS + 60_000 },
  ];
  const lines = queueText({ coreTimeMs: NOW_MS, players: 44, regions }).split("\n");
  assert.equal(lines[0], "44 players have a place in the queue");
  assert.match(lines[2] ?? "", /^REGION +WAITING +CALLED +LET IN +LAST ONE WAITS +FREE/);
  assert.match(
    lines[3] ?? "",
    /^shanghai +45 +2 +1\.3\/s +20 s to 42 s +12 +-20 of 66 +2 +open +supporter 3, normal 40$/,
  );
  assert.match(lines[4] ?? "", /not known +not known +- +2 +paused for 12 s/);
  assert.match(lines[5] ?? "", /^beijing +0 +0 .* opens at 2026-01-01T00:01:00Z +-$/);
});

test("openings are listed, and what a player drew can be checked", () => {
  const seed = Buffer.alloc(32, 1);
  const draw = { seed: seed.toString("hex"), firstNumber: 1_000, numbers: 1_000 };
  const commitment = commitmentOf(seed).toString("hex");
  const opened: OpeningInfo = { regionId: shanghai.regionId, opensAtMs: NOW_MS, commitment, draw };
  const coming = { ...opened, opensAtMs: NOW_MS + 1_000, draw: null };
  const listed = openingsText([opened, coming]).split("\n");
  assert.match(listed[1] ?? "", /^shanghai +2026-01-01T00:00:00Z +open +[0-9a-f]{64} +(01){32}$/);
  assert.match(listed[2] ?? "", /to come +[0-9a-f]{64} +-$/);
  const player = "00000000-0000-7000-8000-000000000001";
  assert.match(
    verifiedText([opened, coming], "shanghai", player),
    /drew the number 1\d{3}: behind \d+\.\d\d% of all numbers\.$/,
  );
  assert.throws(() => verifiedText([coming], "shanghai", player), /no opening of shanghai/);
  const other = { ...opened, commitment: "0".repeat(64) };
  assert.throws(() => verifiedText([other], "shanghai", player), /not the one whose hash/);
});

test("a class is given to a player by an operator, if there is such a class, and audited", async () => {
  const { playerId, enter } = await queued();
  assert.equal((await enter()).class, "normal");
  assert.match(await ops("player", "class", playerId, "supporter"), /in the class supporter/);
  const second = await queued();
  await ops("player", "class", second.playerId, "supporter");
  assert.equal((await second.enter()).class, "supporter");
  await assert.rejects(
    ops("player", "class", playerId, "reconnect"),
    /no class "reconnect" to be given; there are staff, supporter\./,
  );
  await assert.rejects(ops("player", "class", playerId), /name a class/);
  assert.match(await ops("player", "class", playerId, "none"), /as everybody does/);

  const queue = QueueStatusAnswer.parse(JSON.parse(await ops("queue", "--json")));
  const here = queue.regions.find(({ regionId }) => regionId === "shanghai");
  const waiting = new Map(here?.waiting.map((one) => [one.class, one.players]));
  assert.deepEqual([waiting.get("normal"), waiting.get("supporter")], [1, 1]);
  assert.match(await ops("queue"), /^shanghai +2 .* supporter 1, normal 1$/m);
  assert.match(await ops("status"), /^shanghai +active +1\.1 +2 +shanghai-1/m);
  const client = new pg.Client({ connectionString: core.databaseUrl });
  await client.connect();
  const { rows } = await client.query(
    "select details from meridian.audit_log where action = 'class player' order by id limit 1",
  );
  await client.end();
  assert.deepEqual(rows[0]?.details, { class: "supporter" });
});

test("an opening is scheduled, listed and cancelled by the command", async () => {
  const at = new Date(Date.now() + 3_600_000).toISOString();
  await assert.rejects(ops("opening", "shanghai"), /opening needs --at/);
  assert.match(await ops("opening", "shanghai", "--at", at), /^shanghai opens at .*\nSHA-256 of/);
  assert.match(await ops("opening", "list"), /^shanghai +\S+ +to come/m);
  await assert.rejects(
    ops("opening", "verify", "shanghai", "00000000-0000-7000-8000-000000000001"),
    /no opening of shanghai has its seed told yet/,
  );
  assert.match(await ops("opening", "cancel", "shanghai"), /^shanghai is open/);
});
