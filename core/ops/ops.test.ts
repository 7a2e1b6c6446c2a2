/** Operators: roles, audit, draining over the link, the command line, health and metrics. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import pg from "pg";
import { RegionsAnswer } from "../../shared/protocol/join.ts";
import { OperatorRole, StatusAnswer } from "../../shared/protocol/ops.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { fenceQuestion, table, usageOf } from "./cli-text.ts";

const core = await startTestCore();
const region = await startTestRegion({ core, name: "beijing" });
before(() => region.beat());
after(async () => {
  await region.stop();
  await core.stop();
});

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

async function tokenFor(role: string): Promise<string> {
  const made = await call("POST", "/ops/tokens", OPERATOR_TOKEN, { name: `a ${role}`, role });
  assert.equal(made.status, 200);
  return made.body.token;
}

/** Runs the command as an operator would. */
function ops(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "cli.ts"), ...args], {
    env: {
      ...process.env,
      MERIDIAN_OPS_URL: core.privateUrl,
      MERIDIAN_OPERATOR_TOKEN: OPERATOR_TOKEN,
      ...env,
    },
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

async function auditActions(): Promise<string[]> {
  const client = new pg.Client({ connectionString: core.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      "select operator_name || ': ' || action || ' ' || subject as line from meridian.audit_log order by id",
    );
    return rows.map((row) => row.line);
  } finally {
    await client.end();
  }
}

test("what a region says of itself is shown, not obeyed, by an operator's terminal", () => {
  assert.equal(table([["1.0\u001b[2J\u202e\n", "北京"]]), "1.0\ufffd[2J\ufffd\ufffd  北京");
});

test("each role may do what the one before may, and no more, at every route there is", async () => {
  const tokens = [undefined, await tokenFor("viewer"), await tokenFor("operator"), OPERATOR_TOKEN];
  const nobody = "00000000-0000-7000-8000-000000000000";
  const [region, player] = ["/ops/regions/nowhere", `/ops/players/${nobody}`];
  const opensAt = "2100-01-01T00:00:00Z";
  const measured = {
    playersPerNode: 100,
    build: "test",
    measuredAt: "2026-01-01T00:00:00Z",
    hardware: "2 cores",
    serviceLevel: "joins within 1 s",
  };
  // What comes of it with the right to it: nothing is there that it could change.
  const table: [OperatorRole, string, string, number, unknown?][] = [
    ["viewer", "GET", "/ops/status", 200],
    ["viewer", "GET", "/ops/queue", 200],
    ["viewer", "GET", "/ops/capacity", 200],
    ["viewer", "GET", "/ops/scaling", 200],
    ["viewer", "GET", "/ops/openings", 200],
    ["viewer", "GET", "/ops/route?ip=127.0.0.1", 200],
    ["viewer", "GET", "/ops/rooms", 200],
    ["viewer", "GET", `/ops/players?player=${nobody}`, 200],
    ["viewer", "GET", "/ops/evacuations", 200],
    ["operator", "POST", `${region}/wanted`, 404, { state: "active" }],
    ["operator", "POST", `${region}/failback`, 404, {}],
    ["operator", "POST", `${region}/capacity`, 404, measured],
    ["operator", "POST", `${region}/capacity/lift`, 404, { forS: 1 }],
    ["operator", "POST", "/ops/failover", 404, { nodeId: "nowhere-1" }],
    ["operator", "POST", `${region}/fence`, 404],
    ["operator", "DELETE", `${region}/fence`, 404],
    ["operator", "PUT", `${region}/opening`, 404, { opensAt }],
    ["operator", "DELETE", `${region}/opening`, 404],
    ["operator", "POST", "/ops/evacuations", 404, { regionId: "nowhere", roomsPerS: 1 }],
    ["operator", "POST", "/ops/evacuations/nowhere/pause", 404],
    ["operator", "POST", `${player}/ban`, 404, { reason: "x", endsAt: null }],
    ["operator", "DELETE", `${player}/ban`, 404],
    ["operator", "PUT", `${player}/admission-class`, 404, { class: null }],
    ["operator", "GET", "/ops/refused", 200],
    ["operator", "POST", "/ops/refused/1/apply", 404],
    ["operator", "POST", "/ops/refused/1/drop", 404],
    ["operator", "POST", "/ops/reconcile", 200],
    ["operator", "GET", "/ops/reconcile", 200],
    ["admin", "GET", player, 404],
    ["admin", "DELETE", player, 404],
    ["admin", "GET", "/ops/tokens", 200],
    ["admin", "POST", "/ops/tokens", 200, { name: "x", role: "viewer" }],
    ["admin", "DELETE", `/ops/tokens/${nobody}`, 404],
    ["admin", "POST", "/ops/keys/rotate", 200],
    ["admin", "GET", "/ops/audit?last=1", 200],
  ];
  for (const [role, method, path, allowed, body] of table) {
    const lowest = 1 + OperatorRole.options.indexOf(role);
    const expected = tokens.map((_, rank) => (rank === 0 ? 401 : rank < lowest ? 403 : allowed));
    const statuses: number[] = [];
    for (const token of tokens) statuses.push((await call(method, path, token, body)).status);
    assert.deepEqual(statuses, expected, `${method} ${path}`);
  }
  assert.equal((await call("GET", "/ops/status", "wrong")).status, 401);
  const asked = table.map(([, method, path]) => `${method} ${path.split("?")[0]}`);
  const forms = core.routes
    .filter(({ route }) => route.includes(" /ops/") && !/^(HEAD|OPTIONS)/.test(route))
    .map(({ route }) => ({ route, form: new RegExp(`^${route.replace(/:\w+/g, "[^/]+")}$`) }));
  const left = forms.filter(({ form }) => !asked.some((one) => form.test(one)));
  assert.deepEqual(
    left.map(({ route }) => route),
    [],
    "routes whose role is not tested",
  );
});

test("a command's help is its own part of the whole", async () => {
  const { out } = await ops(["evacuate", "--help"]);
  assert.match(out, /^Usage: npm run ops -- COMMAND\n\n {2}evacuate REGION \[--node N\]/);
  assert.doesNotMatch(out, /drain REGION|failover/);
  assert.match(usageOf("fly"), /\n {2}drain REGION .*\n {2}undrain/s);
});

test("a revoked token is refused at once", async () => {
  const token = await tokenFor("viewer");
  assert.equal((await call("GET", "/ops/status", token)).status, 200);
  const listed = (await call("GET", "/ops/tokens", OPERATOR_TOKEN)).body.tokens;
  assert.ok(!JSON.stringify(listed).includes(token));
  const { id } = listed[0];
  assert.equal((await call("DELETE", `/ops/tokens/${id}`, OPERATOR_TOKEN)).status, 200);
  assert.equal((await call("GET", "/ops/status", token)).status, 401);
  assert.equal((await call("DELETE", `/ops/tokens/${id}`, OPERATOR_TOKEN)).status, 404);
});

test("draining goes over the link, shows at once, and is audited", async () => {
  const beijing = async () => {
    const response = await fetch(`${core.url}/v1/regions?game=arena`);
    const { regions, ranking } = RegionsAnswer.parse(await response.json());
    const isBeijing = (region: { regionId: string }) => region.regionId === "beijing";
    return { state: regions.find(isBeijing)?.state, ranked: ranking.find(isBeijing) };
  };
  assert.equal((await beijing()).ranked?.eligible, true);
  const drained = await ops(["drain", "beijing"]);
  assert.deepEqual([drained.code, drained.err], [0, ""]);
  assert.equal(drained.out, "beijing takes no new players.\n  beijing-1: told\n");
  assert.equal(region.drained.at(-1), "draining");
  const after = await beijing();
  assert.equal(after.ranked?.reasons[0], "draining: it takes no new players");
  assert.equal(after.state, "draining");
  assert.equal((await region.heartbeat()).wanted, "draining");
  const undrained = await ops(["undrain", "beijing"]);
  assert.match(undrained.out, /^beijing takes new players\./);
  assert.equal((await region.heartbeat()).wanted, "active");
  const actions = await auditActions();
  assert.equal(actions.filter((line) => line === "bootstrap: drain beijing").length, 1);
});

test("what a fence will do is said before it is done", () => {
  const node = { state: "active", connected: 2, rooms: 1 };
  const region = { regionId: "beijing", nodes: [node, { ...node, state: "down", connected: 9 }] };
  assert.match(
    fenceQuestion(region as Parameters<typeof fenceQuestion>[0]),
    /^2 players and 1 room of beijing are ended here; players are sent to the neighbours\./,
  );
});

test("status is a pleasant table, or JSON", async () => {
  await region.beat({ connected: 12, rooms: 2, capacity: 100 });
  const { out, code } = await ops(["status"]);
  assert.equal(code, 0);
  const lines = out.trimEnd().split("\n");
  assert.match(
    lines[0] ?? "",
    /^core dev · term 1 · \S+:\d+ leads, lease 1 · database up · 12 players online$/,
  );
  assert.match(lines[1] ?? "", /^topology in force since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.match(lines[3] ?? "", /^REGION +STATE +EPOCH +WAITING +NODE +STATE +PLAYERS/);
  assert.match(
    lines[4] ?? "",
    /^beijing +active +1\.1 +- +beijing-1 +active +12\/100 +- +0 +2 +1\.0 ms/,
  );
  assert.match(lines[5] ?? "", /^shanghai +unknown +- +- +-$/);
  const json = await ops(["status", "--json"]);
  assert.equal(StatusAnswer.parse(JSON.parse(json.out)).playersOnline, 12);
});

test("tokens are made, listed and ended by the command", async () => {
  const made = await ops(["token", "create", "--name", "Grace", "--role", "viewer"]);
  assert.match(made.out, /^mrd_[A-Za-z0-9_-]{43}\n$/);
  const id = /id (\S+);/.exec(made.err)?.[1] ?? "";
  const viewer = { MERIDIAN_OPERATOR_TOKEN: made.out.trim() };
  assert.equal((await ops(["status"], viewer)).code, 0);
  assert.match((await ops(["token", "list"])).out, new RegExp(`${id} +Grace +viewer`));
  assert.equal((await ops(["token", "revoke", id])).code, 0);
  const refused = await ops(["status"], viewer);
  assert.deepEqual([refused.code, refused.err], [1, "ops: An operator's token is needed.\n"]);
});

test("the command says in one line what is wrong", async () => {
  const cases: [string[], Record<string, string>, number, RegExp][] = [
    [["fly"], {}, 2, /^ops: there is no command "fly" \(npm run ops -- --help\)\n$/],
    [["status", "--loud"], {}, 2, /^ops: Unknown option '--loud'.*\n$/],
    [["drain"], {}, 2, /^ops: name a region.*\n$/],
    [
      ["drain", "lhasa"],
      {},
      1,
      /^ops: There is no region "lhasa"; there are beijing, shanghai\.\n$/,
    ],
    [["token", "create"], {}, 2, /^ops: token create needs --name N --role viewer\|/],
    [["status"], { MERIDIAN_OPS_URL: "http://127.0.0.1:9" }, 1, /can't be reached: is it running/],
    [["status"], { MERIDIAN_OPS_URL: core.url }, 1, /^ops: There is no such thing here\.\n$/],
    [
      ["status"],
      { MERIDIAN_OPERATOR_TOKEN: "", MERIDIAN_OPERATOR_TOKEN_FILE: "/none" },
      1,
      /^ops: no operator token: set MERIDIAN_OPERATOR_TOKEN \(\/none: ENOENT\)\n$/,
    ],
  ];
  for (const [args, env, code, message] of cases) {
    const result = await ops(args, env);
    assert.equal(result.code, code, args.join(" "));
    assert.match(result.err, message);
  }
  assert.match((await ops(["--help"])).out, /^Usage: npm run ops -- COMMAND/);
});

test("health, readiness and metrics answer on the private port", async () => {
  assert.deepEqual((await call("GET", "/healthz")).body, { status: "ok" });
  assert.deepEqual((await call("GET", "/readyz")).body, {
    ready: true,
    database: "up",
    schema: "current",
    players: "served",
    leadership: "sure",
  });
  const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
  const ours = metrics.split("\n").filter((line) => line.startsWith("meridian_"));
  for (const start of [
    'meridian_region_state{region="beijing",state="active",process="core"} 1',
    'meridian_region_players{region="shanghai",process="core"} 0',
    'meridian_ops_calls_total{action="undrain",outcome="forbidden",process="core"} ',
    "meridian_db_connections{",
  ]) {
    assert.ok(
      ours.some((line) => line.startsWith(start)),
      `${start}\n${ours.join("\n")}`,
    );
  }
});

test("a fence needs a yes, ends what runs there, shows in the status, and is audited", async () => {
  // The command may take longer to start than a silent node counts as alive.
  await region.beat();
  const unasked = await ops(["fence", "beijing"]);
  assert.equal(unasked.code, 1);
  assert.match(unasked.err, /--yes where nobody can be asked/);
  assert.deepEqual(region.fenced, [], "nothing was done");

  const done = await ops(["fence", "beijing", "--yes"]);
  assert.equal(done.code, 0, done.err);
  assert.match(
    done.out,
    /^beijing is fenced under epoch 1\.2: 0 rooms ended\.\n {2}beijing-1: told/,
  );
  assert.deepEqual(region.fenced, [{ regionEpoch: [1, 2] }]);
  assert.match((await ops(["status"])).out, /^beijing +fenced +1\.2 +- +beijing-1 +draining/m);
  const again = JSON.parse((await ops(["fence", "beijing", "--yes", "--json"])).out);
  assert.deepEqual([again.changed, again.rooms], [false, 0]);
  const drained = await ops(["drain", "beijing"]);
  assert.match(drained.err, /beijing is fenced: unfence it first/);

  const over = await ops(["unfence", "beijing"]);
  assert.match(over.out, /^beijing takes players again, under epoch 1\.2\./);
  const viewer = await tokenFor("viewer");
  assert.equal((await call("POST", "/ops/regions/beijing/fence", viewer)).status, 403);
  assert.equal((await call("POST", "/ops/regions/nowhere/fence", OPERATOR_TOKEN)).status, 404);
  const actions = await auditActions();
  for (const line of ["bootstrap: fence beijing", "bootstrap: unfence beijing"]) {
    assert.ok(actions.includes(line), line);
  }
});
