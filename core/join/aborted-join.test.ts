/** A join whose caller goes away costs no seat, wherever it is at that moment. */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { JoinAnswer } from "../../shared/protocol/join.ts";
import type { ReserveAnswer } from "../../shared/protocol/link.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const core = await startTestCore();
const region = await startTestRegion({ core, name: "shanghai" });
after(async () => {
  await region.stop();
  await core.stop();
});
beforeEach(async () => {
  region.asked.length = 0;
  region.released.length = 0;
  region.grant = async (request) => region.granted(request);
  await region.heartbeat();
});

function post(path: string, body: unknown, more: { token?: string; signal?: AbortSignal } = {}) {
  return fetch(core.url + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(more.token && { authorization: `Bearer ${more.token}` }),
    },
    body: JSON.stringify(body),
    ...(more.signal && { signal: more.signal }),
  });
}

async function newGuest(): Promise<string> {
  return (await (await post("/v1/guests", {})).json()).accessToken;
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (!done()) {
    assert.ok(performance.now() < endMs, "the condition did not come true within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Holds the region's answer until it is let go; tells which seat that is. */
function holdGrant() {
  let held: ReserveAnswer | undefined;
  let release = (): void => {};
  region.grant = (request) =>
    new Promise((resolve) => {
      const answer = region.granted(request);
      held = answer;
      release = () => resolve(answer);
    });
  return { seat: () => held, release: () => release() };
}

const arena = { game: "arena", protocol: 1 };

for (const path of ["/v1/join", "/matchmake/joinOrCreate/arena"]) {
  test(`${path}: the seat goes back when nobody waits for it any more`, async () => {
    const grant = holdGrant();
    const gone = new AbortController();
    const joining = post(path, arena, { token: await newGuest(), signal: gone.signal });
    await until(() => grant.seat() !== undefined);
    gone.abort();
    await assert.rejects(joining);
    // Whatever is asked after it, over another connection, is answered after the core has heard of it.
    await post("/v1/guests", {});
    grant.release();
    await until(() => region.released.length === 1);
    assert.equal(region.released[0]?.sessionId, grant.seat()?.sessionId);
  });
}

test("a player in a room who gives up a join keeps the way back to that room", async () => {
  const token = await newGuest();
  const first = JoinAnswer.parse(await (await post("/v1/join", arena, { token })).json());
  const grant = holdGrant();
  const gone = new AbortController();
  const joining = post("/v1/join", arena, { token, signal: gone.signal });
  await until(() => grant.seat() !== undefined);
  gone.abort();
  await assert.rejects(joining);
  await post("/v1/guests", {});
  grant.release();
  await until(() => region.released.length === 1);
  region.grant = async (request) => region.granted(request);
  const renewed = await post("/v1/join/renew", { ticket: first.ticket });
  assert.equal(renewed.status, 200, "the session before is the player's still");
  assert.equal(region.released[0]?.sessionId, grant.seat()?.sessionId);
});

test("an answer that arrived leaves its seat taken", async () => {
  const token = await newGuest();
  const joined = await post("/v1/join", arena, { token });
  assert.equal(joined.status, 200);
  await joined.json();
  // A second call after it: the first one's connection has been dealt with.
  await post("/v1/guests", {});
  assert.deepEqual(region.released, []);
});
