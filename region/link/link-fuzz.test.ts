/** Mutated bodies from the core's side of the private link, over real mTLS, to a node with real rooms. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { assertTyped, mutatedJson } from "../../shared/json-fuzzer.testkit.ts";
import { RawLink } from "../../shared/link/raw-link.testkit.ts";
import { createLog } from "../../shared/log.ts";
import { ReserveAnswer, ReserveManyAnswer } from "../../shared/protocol/link.ts";
import { TestNode } from "../transport/test-node.ts";
import { newPlayerId, until } from "../transport/test-tickets.ts";
import { createLinkServer } from "./link-server.ts";
import { TestCore } from "./test-core.ts";

const BODIES = cases(300, 50_000);
const AT_ONCE = 8;

class AnyRoom extends Room {}

const node = new TestNode({ games: { any: AnyRoom }, capacity: 1_000_000 });
let core: TestCore;
let link: RawLink;
let server: ReturnType<typeof createLinkServer>;

before(async () => {
  core = await TestCore.start();
  await node.start();
  server = createLinkServer({
    identity: core.regionIdentity,
    matchmaker: node.matchmaker,
    onWanted() {},
    wanted() {},
    onFenced() {},
    witness: { look: async () => "silent" },
    upgrades: new Map(),
    log: createLog("region", "silent"),
  });
  await server.listen({ host: "127.0.0.1", port: 0 });
  const address = server.server.address();
  assert.ok(typeof address === "object" && address);
  link = new RawLink(`127.0.0.1:${address.port}`, core.coreIdentity.current);
});
after(async () => {
  link.close();
  await server.close();
  await core.stop();
  await node.stop();
});

const player = { playerId: newPlayerId(), name: "Ada", sessionEpoch: [1, 1] };
const seat = {
  kind: "seat",
  player,
  game: "any",
  mode: "joinOrCreate",
  options: { team: "red", size: 2 },
  holdMs: 100,
};
const held = { roomId: "room0123456789ab", sessionId: "session0123456789abcd" };
const bodies: readonly (readonly [path: string, body: unknown])[] = [
  ["/link/reserve", seat],
  ["/link/reserve", { ...seat, mode: "joinById", roomId: held.roomId }],
  ["/link/reserve", { kind: "renew", holdMs: 100, ...held }],
  [
    "/link/reserve",
    { kind: "reconnect", playerId: newPlayerId(), reconnectionToken: "x".repeat(32), ...held },
  ],
  [
    "/link/reserve-many",
    {
      requests: [
        { kind: "reconnect", playerId: newPlayerId(), reconnectionToken: "x".repeat(32), ...held },
      ],
    },
  ],
  ["/link/release", held],
  ["/link/drain", { state: "active" }],
  ["/link/witness", { about: { nodeId: "east-1", linkAddress: "127.0.0.1:1" } }],
];

test(`${BODIES} mutated bodies of each kind get typed answers`, {
  timeout: 3_600_000,
}, async (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  for (const [path, body] of bodies) {
    for (let count = 0; count < BODIES; count += AT_ONCE) {
      const texts = Array.from({ length: AT_ONCE }, () => mutatedJson(body, chance));
      const answers = await Promise.all(texts.map((text) => link.post(path, text)));
      for (const [index, answer] of answers.entries()) {
        assertTyped(answer.status, answer.body, `${path} ${texts[index]}`);
      }
    }
  }
  const absent = { kind: "reconnect", playerId: newPlayerId(), reconnectionToken: "x".repeat(32) };
  const many = { requests: [1, 2].map(() => ({ ...absent, ...held })) };
  const refusals = await link.post("/link/reserve-many", JSON.stringify(many));
  const { answers } = ReserveManyAnswer.parse(refusals.body);
  assert.deepEqual(
    answers.map((one) => "error" in one && one.error.kind),
    ["room_not_found", "room_not_found"],
  );
  const answer = await link.post("/link/reserve", JSON.stringify(seat));
  const { roomId, sessionId } = ReserveAnswer.parse(answer.body);
  await node.matchmaker.release({ roomId, sessionId });
  assert.deepEqual(node.failures, []);
  await until(() => node.ledger.counts(performance.now()).reserved === 0, "the lapse of all seats");
});
