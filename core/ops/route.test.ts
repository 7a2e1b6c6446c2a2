/** `npm run route` and `/ops/route`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { ExplainedRoute } from "../../shared/protocol/route.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const core = await startTestCore({ GEO_OVERRIDES: "203.0.113.0/24=39.9,116.4,Beijing" });
const beijing = await startTestRegion({ core, name: "beijing" });
const shanghai = await startTestRegion({ core, name: "shanghai" });
// The command may take longer to start than a silent node counts as alive.
before(async () => {
  await beijing.beat();
  await shanghai.beat();
});
after(async () => {
  await beijing.stop();
  await shanghai.stop();
  await core.stop();
});

/** Runs the command as an operator would. */
async function route(...args: string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "route-cli.ts"), ...args], {
    env: {
      ...process.env,
      MERIDIAN_OPS_URL: core.privateUrl,
      MERIDIAN_OPERATOR_TOKEN: OPERATOR_TOKEN,
    },
  });
  const ended = once(child, "close");
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await ended;
  return { code, out, err };
}

const ask = (query: string, token = OPERATOR_TOKEN) =>
  fetch(`${core.privateUrl}/ops/route?${query}`, { headers: { authorization: `Bearer ${token}` } });

async function want(state: "active" | "draining", ...regions: string[]): Promise<void> {
  for (const region of regions) {
    const answer = await fetch(`${core.privateUrl}/ops/regions/${region}/wanted`, {
      method: "POST",
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ state }),
    });
    assert.equal(answer.status, 200);
  }
}

test("the table has every candidate with its terms, and why each lost, within 100 columns", async () => {
  await want("draining", "shanghai");
  const { code, out, err } = await route("--ip", "203.0.113.9", "--explain", "--game", "arena");
  await want("active", "shanghai");
  assert.deepEqual([code, err], [0, ""]);
  const lines = out.trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 5), [
    "203.0.113.9 is taken to be in Beijing (39.90°N 116.40°E), by an override (GEO_OVERRIDES).",
    "",
    "   REGION    STATE       KM  ROUND TRIP             LATENCY  LOAD  HOME  FRIENDS  SCORE",
    "*  beijing   active       0         5.0  estimated     10.0     0     0        0   10.0",
    "   shanghai  draining  1067        26.3  estimated     26.3     0     0        0      -",
  ]);
  assert.match(out, /^ {2}beijing {3}the best\n {12}5 ms over 0 km from Beijing; 0% full/m);
  assert.match(out, /^ {2}shanghai {2}draining: it takes no new players$/m);
  for (const line of lines) assert.ok(line.length <= 100, line);
});

test("without --explain it says the choice and the next ones; measurements win", async () => {
  const { out } = await route("--ip", "203.0.113.9", "--round-trips", "beijing=80,shanghai=12.5");
  assert.deepEqual(out.trimEnd().split("\n").slice(1), [
    "It plays in shanghai (score 12.5, 12.5 ms measured).",
    "Next: beijing (score 80.0, 80.0 ms measured).",
  ]);
});

test("no region at all: every obstacle is shown, and the end is 1", async () => {
  await want("draining", "beijing", "shanghai");
  const { code, out, err } = await route("--ip", "10.1.2.3", "--explain");
  await want("active", "beijing", "shanghai");
  assert.deepEqual([code, err], [1, "route: no region: No region can take players right now.\n"]);
  assert.match(out, /^10\.1\.2\.3 is on no map: taken to be where the core is, in Shanghai/);
  assert.equal(out.match(/draining: it takes no new players/g)?.length, 2);
});

test("what is wrong is said in one line", async () => {
  const cases: [string[], number, RegExp][] = [
    [
      [],
      2,
      /^route: give the player's address: --ip 203\.0\.113\.9 \(npm run route -- --help\)\n$/,
    ],
    [
      ["--ip", "203.0.113.999"],
      2,
      /^route: "203\.0\.113\.999" is not an IPv4 or IPv6 address.*\n$/,
    ],
    [["--ip", "::1", "--round-trips", "beijing"], 2, /^route: "beijing" is not REGION=MS,.*\n$/],
    [["--ip", "::1", "--loud"], 2, /^route: Unknown option '--loud'.*\n$/],
    [
      ["--ip", "::1", "--region", "lhasa"],
      1,
      /^route: There is no region "lhasa"; there are b.*\n$/,
    ],
    [["--ip", "::1", "--game", "chess"], 1, /^route: No region runs a game "chess".*\n$/],
  ];
  const results = await Promise.all(cases.map(([args]) => route(...args)));
  for (const [index, [args, code, message]] of cases.entries()) {
    assert.equal(results[index]?.code, code, args.join(" "));
    assert.match(results[index]?.err ?? "", message);
  }
});

test("a viewer may ask, nobody else", async () => {
  const answer = await ask("ip=203.0.113.9&game=arena");
  assert.equal(ExplainedRoute.parse(await answer.json()).regionId, "beijing");
  assert.equal((await ask("ip=203.0.113.9", "wrong-token-for-operators")).status, 401);
  assert.equal((await ask("ip=nonsense")).status, 400);
  assert.equal((await ask("ip=::1&roundTrips=lhasa%3D5")).status, 404);
});
