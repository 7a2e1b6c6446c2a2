/** What the core is told of a node whose stream of copies broke; nodes' ends are seen as they are told here. */
import assert from "node:assert/strict";
import { after, afterEach, beforeEach, test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId } from "../../shared/ids.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import type { NodeAddress, Saw } from "../../shared/protocol/failover.ts";
import { until } from "../../test/until.ts";
import { TestCore } from "../link/test-core.ts";
import { EvidencePush } from "./evidence.ts";

const about: NodeAddress = { nodeId: NodeId.parse("east-7"), linkAddress: "127.0.0.1:1" };
const nodeId = NodeId.parse("testing-1");
const core = await TestCore.start();
let client: LinkClient;
let clock: FakeClock;
let evidence: EvidencePush;
let saw: Saw = "answers";
let looks = 0;

beforeEach(() => {
  saw = "answers";
  looks = 0;
  core.evidence.length = 0;
  core.evidenceFailures.length = 0;
  // Its deadlines are not what is tested: they are of real time.
  client = new LinkClient(core.regionIdentity);
  clock = new FakeClock();
  evidence = new EvidencePush({
    client,
    coreAddress: core.address,
    nodeId,
    witness: {
      look: async () => {
        looks += 1;
        return saw;
      },
    },
    clock,
    random: () => 0.5,
    log: createLog("region", "silent"),
    metrics: createMetrics({}),
  });
});
afterEach(async () => {
  evidence.stop();
  await client.stop();
});
after(() => core.stop());

const told = () => core.evidence.map((each) => each.saw);

/** Lets time pass until the watch is over and nothing waits any more. */
async function passes(): Promise<void> {
  await until("the end of the watch", () => {
    clock.advance(250);
    return clock.pending === 0 && !evidence.watching;
  });
}

test("a node that is gone is told of at once", async () => {
  saw = "refused";
  evidence.ownerGone(about);
  await until("the evidence", () => core.evidence.length === 1);
  assert.deepEqual(core.evidence, [{ nodeId, about, saw: "refused" }]);
  evidence.ownerGone(about);
  await passes();
  assert.deepEqual([told(), looks <= 3], [["refused"], true]);
});

test("a node that answers is looked at for a while, and nothing is told", async () => {
  evidence.ownerGone(about);
  await passes();
  assert.deepEqual(told(), []);
  assert.ok(looks > 1 && looks <= 9, `${looks} looks`);
});

test("one whose connections end first and its process then is told of when it is gone", async () => {
  evidence.ownerGone(about);
  await until("two looks", () => {
    clock.advance(50);
    return looks >= 2;
  });
  saw = "refused";
  await passes();
  assert.deepEqual(told(), ["refused"]);
});

test("silence is told, and what is worse, each once", async () => {
  saw = "silent";
  evidence.ownerGone(about);
  await until("the evidence", () => core.evidence.length === 1);
  saw = "refused";
  await passes();
  assert.deepEqual(told(), ["silent", "refused"]);
});

test("a node that flaps is told of once a second at most", async () => {
  let turns = 0;
  await until("a hundred streams that broke", () => {
    evidence.ownerGone(about);
    saw = turns % 2 === 0 ? "silent" : "answers";
    turns += 1;
    clock.advance(250);
    return turns === 100;
  });
  saw = "answers";
  await passes();
  const seconds = clock.monotonicMs() / 1_000;
  assert.ok(told().length <= seconds, `${told().length} in ${seconds} s`);
});

test("a core that does not take it is told again, and given up in the end", async () => {
  saw = "silent";
  core.evidenceFailures.push("unavailable", "unavailable");
  evidence.ownerGone(about);
  await until("the evidence", () => {
    clock.advance(50);
    return core.evidence.length === 1;
  });
  await passes();
  assert.deepEqual(told(), ["silent"]);
  core.evidenceFailures.push(...Array<"unavailable">(100).fill("unavailable"));
  evidence.ownerGone(about);
  await passes();
  const attempts = 100 - core.evidenceFailures.length;
  assert.ok(attempts >= 3 && attempts <= 9, `${attempts} attempts`);
});

test("nodes that are watched are bounded, and a stop ends all", async () => {
  for (let n = 1; n <= 300; n += 1) {
    evidence.ownerGone({ ...about, nodeId: NodeId.parse(`east-${n}`) });
  }
  assert.equal(evidence.watching, 256);
  evidence.stop();
  await until("the end of all", () => evidence.watching === 0);
});
