/** Openings of regions: real HTTP, a real database, cores that come and go. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { JoinOutcome } from "../../shared/protocol/join.ts";
import { OpeningsAnswer } from "../../shared/protocol/openings.ts";
import { PollAnswer, type QueuePlace } from "../../shared/protocol/queue.ts";
import { until } from "../../test/until.ts";
import { createMigratedDatabase } from "../db/test-database.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion, type TestRegion } from "../test-region.ts";

const created = await createMigratedDatabase();
const authority = await createAuthority();
const env = {
  DATABASE_URL: created.workingUrl,
  DATABASE_OWNER_URL: created.url,
  MASTER_KEY: randomBytes(32).toString("base64"),
};
let core = await startTestCore(env, authority);
let regions: TestRegion[] = [];
const FULL = { connected: 100 };

async function startRegions(): Promise<void> {
  regions = [];
  for (const name of ["shanghai", "beijing"]) {
    const region = await startTestRegion({ core, name });
    await region.beat(name === "shanghai" ? FULL : {});
    regions.push(region);
  }
}
async function stopAll(): Promise<void> {
  for (const region of regions) await region.stop();
  await core.stop();
}
before(startRegions);
after(async () => {
  await stopAll();
  await created.drop();
});

async function send(method: string, url: string, body?: unknown, token?: string) {
  const response = await fetch(url, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

const ops = (method: string, path: string, body?: unknown, token = OPERATOR_TOKEN) =>
  send(method, `${core.privateUrl}/ops/${path}`, body, token);
const schedule = (region: string, aheadMs: number) =>
  ops("PUT", `regions/${region}/opening`, {
    opensAt: new Date(Date.now() + aheadMs).toISOString(),
  });

interface Guest {
  readonly accessToken: string;
  readonly playerId: string;
}

async function guests(count: number): Promise<Guest[]> {
  const made: Guest[] = [];
  for (let n = 0; n < count; n += 1) {
    made.push((await send("POST", `${core.url}/v1/guests`, { name: "Ada" })).body);
  }
  return made;
}

async function join(guest: Guest, change: Record<string, unknown> = {}): Promise<JoinOutcome> {
  const body = { game: "arena", protocol: 1, mayQueue: true, region: "shanghai", ...change };
  const answer = await send("POST", `${core.url}/v1/join`, body, guest.accessToken);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return JoinOutcome.parse(answer.body);
}

async function queued(guest: Guest, change: Record<string, unknown> = {}): Promise<QueuePlace> {
  const outcome = await join(guest, change);
  assert.ok("queue" in outcome, "a seat was given");
  return outcome.queue;
}

async function openings() {
  return OpeningsAnswer.parse((await send("GET", `${core.url}/v1/openings`)).body).openings;
}

async function lastOpening() {
  const opening = (await openings()).at(-1);
  assert.ok(opening);
  return opening;
}

const claimIn = ({ token }: QueuePlace) =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString());

/** As anybody could work it out. */
function inOrder(all: readonly Guest[], seed: string): Guest[] {
  const drawn = ({ playerId }: Guest) =>
    createHash("sha256").update(Buffer.from(seed, "hex")).update(playerId).digest("hex");
  return [...all].sort((a, b) => (drawn(a) < drawn(b) ? -1 : 1));
}

const positions = async (all: readonly Guest[]) => {
  const found: (number | null)[] = [];
  for (const guest of all) found.push((await queued(guest)).position);
  return found;
};

test("before its time nobody is let in nor told an order; then it is that of the seed", async () => {
  const [early, late, ...crowd] = await guests(8);
  assert.ok(early && late);
  assert.equal((await queued(early)).position, 1);
  assert.equal((await schedule("shanghai", 3_600_000)).status, 200);
  const promised = await lastOpening();
  assert.equal(promised.draw, null);
  await regions[0]?.beat();
  const places: QueuePlace[] = [];
  for (const guest of crowd) places.push(await queued(guest));
  for (const place of places) {
    const { position, number, state, opensAtMs } = place;
    assert.deepEqual([position, number, state], [null, 0, "waiting"]);
    assert.equal(opensAtMs, promised.opensAtMs);
    assert.deepEqual(claimIn(place).places, [["shanghai", 0]], "nor is it in the token");
  }
  assert.ok((claimIn(await queued(early)).places[0]?.[1] ?? 0) > 0, "who waited has a number");
  // A client that can't wait is told when; a guest who would be made for it is not.
  const body = { game: "arena", protocol: 1, region: "shanghai" };
  const told = await send("POST", `${core.url}/v1/join`, body, crowd[0]?.accessToken);
  assert.match(told.body.error.message, /^shanghai opens at \d{4}-/);
  // Nor does a seat in another region lead in.
  assert.ok("ticket" in (await join(late, { region: "beijing" })));
  const asked = regions[0]?.asked.length;
  const over = await send(
    "POST",
    `${core.url}/v1/join`,
    { ...body, mayQueue: true },
    late.accessToken,
  );
  assert.deepEqual([over.status, over.body.error.kind], [503, "region_full"]);
  assert.match(over.body.error.message, /^It opens at /);
  assert.equal(regions[0]?.asked.length, asked);

  await regions[0]?.beat(FULL);
  const moved = await schedule("shanghai", 1_500);
  assert.equal(moved.body.commitment, promised.commitment, "the seed stays");
  assert.equal((await schedule("shanghai", 60_000)).status, 409, "it is about to open");
  await until("it is open", async () => (await lastOpening()).draw !== null);
  const { draw, commitment } = await lastOpening();
  const seed = draw?.seed ?? "";
  const hash = createHash("sha256").update(Buffer.from(seed, "hex")).digest("hex");
  assert.equal(hash, commitment);
  const [newcomer] = await guests(1);
  assert.ok(newcomer);
  const all = [early, ...inOrder(crowd, seed), newcomer];
  assert.deepEqual(
    await positions(all),
    all.map((_, index) => index + 1),
  );
});

test("a restart in between changes nothing, whenever a place is shown again", async () => {
  assert.equal((await schedule("beijing", 3_600_000)).status, 200);
  const promised = await lastOpening();
  const crowd = await guests(6);
  const places = new Map<Guest, QueuePlace>();
  for (const guest of crowd) places.set(guest, await queued(guest, { region: "beijing" }));
  await stopAll();
  core = await startTestCore(env, authority);
  await startRegions();
  assert.deepEqual(await lastOpening(), promised);
  const poll = async (guest: Guest) => {
    const body = { token: places.get(guest)?.token };
    const answer = await send("POST", `${core.url}/v1/queue/poll`, body);
    return PollAnswer.parse(answer.body).queue;
  };
  await regions[1]?.beat(FULL);
  const [behind, ...shown] = crowd;
  assert.ok(behind);
  for (const guest of shown) {
    const { position, number } = await poll(guest);
    assert.deepEqual([position, number], [null, 0]);
  }
  const cancelled = await ops("DELETE", "regions/beijing/opening");
  assert.equal(cancelled.status, 200, JSON.stringify(cancelled.body));
  assert.equal((await ops("DELETE", "regions/beijing/opening")).status, 404);
  const opened = (await openings()).find(({ commitment }) => commitment === promised.commitment);
  const [newcomer] = await guests(1);
  assert.ok(newcomer);
  assert.equal((await queued(newcomer, { region: "beijing" })).position, 6);
  await poll(behind);
  const found: [number | null, Guest][] = [];
  for (const guest of [...crowd, newcomer]) {
    found.push([(await queued(guest, { region: "beijing" })).position, guest]);
  }
  found.sort(([a], [b]) => (a ?? 0) - (b ?? 0));
  assert.deepEqual(
    found.map(([, guest]) => guest),
    [...inOrder(crowd, opened?.draw?.seed ?? ""), newcomer],
  );
});

test("times that make no sense are refused, and it takes an operator", async () => {
  assert.equal((await schedule("shanghai", -1_000)).status, 400);
  assert.equal((await schedule("shanghai", 91 * 86_400_000)).status, 400);
  assert.equal((await schedule("lhasa", 60_000)).status, 404);
  const made = await ops("POST", "tokens", { name: "v", role: "viewer" });
  const viewer = made.body.token;
  assert.equal((await ops("GET", "openings", undefined, viewer)).status, 200);
  assert.equal((await ops("DELETE", "regions/shanghai/opening", undefined, viewer)).status, 403);
});
