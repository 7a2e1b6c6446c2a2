/**
 * Mutated bodies and headers to every route of a whole core, by players over its public port and by a
 * region over its link. Each gets a typed answer, none is a failure of ours, and honest calls work on.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { request } from "undici";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { assertTyped, mutatedJson } from "../../shared/json-fuzzer.testkit.ts";
import { RawLink } from "../../shared/link/raw-link.testkit.ts";
import { JoinAnswer } from "../../shared/protocol/join.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const BODIES = cases(120, 20_000);
const AT_ONCE = 8;
const TIMEOUT_MS = 3_600_000;

const core = await startTestCore({
  GUESTS_PER_PREFIX_BURST: "10000000",
  GUESTS_BURST: "10000000",
  GUEST_LOG_INS_PER_PREFIX_BURST: "10000000",
  GUEST_LOG_INS_BURST: "10000000",
});
const beijing = await startTestRegion({ core, name: "beijing" });
const shanghai = await startTestRegion({ core, name: "shanghai" });
const link = new RawLink(core.linkAddress, beijing.identity.current);
after(async () => {
  link.close();
  await beijing.stop();
  await shanghai.stop();
  await core.stop();
});

interface Call {
  readonly method: "POST" | "PUT" | "PATCH" | "GET";
  readonly path: string;
  readonly body?: unknown;
  readonly authorization?: string;
}

async function send(call: Call, text: string | undefined, chance?: Chance) {
  const { method, path, authorization } = call;
  const bearer =
    authorization && chance?.once(4) ? oddBearer(authorization, chance) : authorization;
  const answer = await request(core.url + path, {
    method,
    headers: {
      ...(text !== undefined && { "content-type": "application/json" }),
      ...(bearer !== undefined && { authorization: bearer }),
    },
    ...(text !== undefined && { body: text }),
  });
  const body = await answer.body.text();
  return { status: answer.statusCode, body: body === "" ? undefined : JSON.parse(body) };
}

function oddBearer(authorization: string, chance: Chance): string {
  const at = chance.below(authorization.length);
  const cut = authorization.slice(0, at);
  return chance.of([cut, `${cut}A${authorization.slice(at + 1)}`, `${authorization}.`, "Basic x"]);
}

async function honestJoin(): Promise<{ answer: JoinAnswer; accessToken: string; secret: string }> {
  const guest = await send({ method: "POST", path: "/v1/guests" }, '{"name":"Ada"}');
  const { accessToken, secret } = guest.body;
  const authorization = `Bearer ${accessToken}`;
  const joined = await send(
    { method: "POST", path: "/v1/join", authorization },
    JSON.stringify(join),
  );
  return { answer: JoinAnswer.parse(joined.body), accessToken, secret };
}

const join = {
  game: "arena",
  mode: "joinOrCreate",
  options: { team: "red", list: [1, { a: 2 }] },
  region: "shanghai",
  roundTripsMs: { shanghai: 20, beijing: 30 },
  protocol: 1,
  build: "test",
};

test(`${BODIES} mutated calls of each public route`, { timeout: TIMEOUT_MS }, async (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  await beijing.heartbeat();
  await shanghai.beat();
  const { answer, accessToken, secret } = await honestJoin();
  const authorization = `Bearer ${accessToken}`;
  const refreshToken = "x".repeat(43);
  const ways = { roundTripsMs: join.roundTripsMs, roundTripsAgeMs: 5, unanswered: ["beijing"] };
  const purchase = { store: "web-shop", receipt: "a.b.c" };
  const reconnect = { roomId: "r1", reconnectionToken: "x".repeat(40), protocol: 1 };
  const calls: readonly Call[] = [
    { method: "POST", path: "/v1/guests", body: { name: "Ada", device: "test" } },
    { method: "POST", path: "/v1/guests", body: { secret, device: "test" } },
    { method: "POST", path: "/v1/tokens/refresh", body: { refreshToken, device: "test" } },
    { method: "POST", path: "/v1/tokens/revoke", body: { refreshToken } },
    { method: "PATCH", path: "/v1/me", body: { name: "Eve" }, authorization },
    { method: "POST", path: "/v1/join", body: join, authorization },
    { method: "POST", path: "/v1/join/renew", body: { ticket: answer.ticket } },
    { method: "POST", path: "/v1/reconnect", body: reconnect },
    { method: "POST", path: "/v1/me/purchases", body: purchase, authorization },
    { method: "PUT", path: "/v1/me/round-trips", body: ways, authorization },
    { method: "GET", path: "/v1/me", authorization },
    { method: "GET", path: "/v1/regions" },
    { method: "POST", path: "/v1/route?explain=1&game=arena", body: ways },
  ];
  for (const call of calls) {
    for (let count = 0; count < BODIES; count += AT_ONCE) {
      await shanghai.beat();
      const texts = Array.from({ length: AT_ONCE }, () => {
        return call.body === undefined ? undefined : mutatedJson(call.body, chance);
      });
      const answers = await Promise.all(texts.map((text) => send(call, text, chance)));
      for (const [index, { status, body }] of answers.entries()) {
        assertTyped(status, body, `${call.method} ${call.path} ${texts[index]}`);
      }
    }
  }
  await shanghai.beat();
  await honestJoin();
});

test(`${BODIES} mutated calls of Colyseus' routes`, { timeout: TIMEOUT_MS }, async (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  const methods = ["joinOrCreate", "create", "join", "joinById", "reconnect", "__proto__", "%00"];
  const names = ["arena", "no-such-room", "%2e%2e", "%ff", "constructor", "x".repeat(300)];
  for (let count = 0; count < BODIES; count += AT_ONCE) {
    await shanghai.beat();
    const asked = Array.from({ length: AT_ONCE }, () => {
      const path = `/matchmake/${chance.of(methods)}/${chance.of(names)}`;
      return send(
        { method: "POST", path },
        mutatedJson({ team: "red", reconnectionToken: "x" }, chance),
        chance,
      );
    });
    for (const { status, body } of await Promise.all(asked)) {
      // Colyseus' clients know codes of their own; 500 and more would be a failure of ours.
      assert.ok(
        status < 500 || body?.error?.kind !== "internal",
        `${status} ${JSON.stringify(body)}`,
      );
      assert.notEqual(status, 500, JSON.stringify(body));
    }
  }
});

test(`${BODIES} mutated bodies of a region`, { timeout: TIMEOUT_MS }, async (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  const heartbeat = beijing.firstHeartbeat();
  const { nodeId } = beijing;
  const claim = { claimId: "claim-0001", roomId: "r1", game: "arena", nodeId };
  const room = { roomId: "r1", roomEpoch: [1, 1] };
  const owned = { ...room, nodeId };
  const playerId = "0190f2a0-0000-7000-8000-000000000001";
  const change = { kind: "credit", playerId, currency: "coin", amount: 3 };
  const op = { id: "r1/round-1/ada", changes: [change] };
  for (const [path, body] of [
    ["/link/heartbeat", heartbeat],
    ["/link/claim", claim],
    ["/link/claim", { ...claim, opSeq: 3 }],
    ["/link/value", { ...owned, opSeq: 3, coreTerm: 1, op }],
    ["/link/room-ops", { ...owned, opSeq: 3 }],
    ["/link/value-again", { nodeId, coreTerm: 1, ops: [{ roomId: "r1", opSeq: 3, op }] }],
    [
      "/link/players/load-many",
      {
        nodeId,
        loads: [{ loadId: "load-0001", playerId, sessionEpoch: [1, 1], collections: ["stats"] }],
      },
    ],
    ["/link/reaffirm-rooms", { nodeId, rooms: [{ ...room, game: "arena", opSeq: 3 }] }],
  ] as const) {
    for (let count = 0; count < BODIES; count += AT_ONCE) {
      const texts = Array.from({ length: AT_ONCE }, () => mutatedJson(body, chance));
      const answers = await Promise.all(texts.map((text) => link.post(path, text)));
      for (const [index, answer] of answers.entries()) {
        assertTyped(answer.status, answer.body, `${path} ${texts[index]}`);
      }
    }
  }
  await shanghai.beat();
  await honestJoin();
});
