/** Players followed through a few faults in a small world; `npm run faults -- --players N` goes through all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FOLLOWED_ENV } from "../../../loadtest/followed/followed-world.ts";
import type { Resumption } from "../../../loadtest/followed/resumptions.ts";
import { cases } from "../../../shared/chance.testkit.ts";
import { RegionId } from "../../../shared/ids.ts";
import { worldForTests } from "../../world.ts";
import { findingOf, isKept, summaryOf, summaryText } from "./findings.ts";
import { runPlayerCampaign } from "./player-campaign.ts";
import {
  PLAYER_FAULT_KINDS,
  type PlayerFault,
  type PlayerFaultKind,
  planPlayerFaults,
} from "./player-fault.ts";

const PLAYERS = 12;
/** Beside those that always come. */
const MORE_FAULTS = cases(0, 40);
const seed = Number(process.env.TEST_SEED ?? 1);
const beijing = RegionId.parse("beijing");
const world = worldForTests({ breakableLinks: true, regions: 2, env: FOLLOWED_ENV });
const nothingFound = { promised: 1, lost: [], doubled: [], unsound: [] };

function faultOf(kind: PlayerFaultKind, lastsMs = 0): PlayerFault {
  return { kind, regionId: beijing, lastsMs };
}

test("players keep their room, entity, score, progress and coins, whatever dies under them", async (t) => {
  const regionIds = [...world().regions.keys()];
  const faults = [
    faultOf("half-open-link", 1_000),
    faultOf("replace-node"),
    faultOf("kill-region"),
    ...planPlayerFaults({ seed, count: MORE_FAULTS, regionIds, wan: false }),
  ];
  const { findings, summary } = await runPlayerCampaign({
    world: world(),
    players: PLAYERS,
    faults,
    seed,
    say: (line) => t.diagnostic(line),
  });
  assert.deepEqual(
    findings.flatMap(({ broken }) => broken),
    [],
  );
  assert.ok(summary.struck > 0, "nobody was struck");
  assert.ok(isKept(summary), summaryText(summary));
});

test("a seed gives the same faults again, each kind as often as any other", () => {
  const regionIds = ["a", "b", "c"].map((id) => RegionId.parse(id));
  const count = 10 * PLAYER_FAULT_KINDS.length;
  const faults = planPlayerFaults({ seed, count, regionIds, wan: true });
  assert.deepEqual(planPlayerFaults({ seed, count, regionIds, wan: true }), faults);
  for (const kind of PLAYER_FAULT_KINDS) {
    assert.equal(faults.filter((fault) => fault.kind === kind).length, 10, kind);
  }
  const kinds = planPlayerFaults({ seed, count, regionIds, wan: false }).map(({ kind }) => kind);
  assert.ok(!kinds.includes("black-hole") && !kinds.includes("cut-players"));
  const two = planPlayerFaults({ seed, count, regionIds: regionIds.slice(0, 2), wan: true });
  assert.ok(!two.some(({ kind }) => kind === "kill-two" || kind === "kill-heir"));
});

test("a lost room, a late player, a stranger who was disturbed: each is found, and excused where it may be", () => {
  const one: Resumption = {
    player: "ada",
    kind: "moved",
    resumed: true,
    tookMs: 1_000,
    pauseMs: 900,
    rolledBackMs: 100,
    documentLostMs: 200,
  };
  const lost: Resumption = { ...one, kind: "lost", resumed: false, tookMs: undefined };
  const found = (kind: PlayerFaultKind, struck: Resumption[], disturbed = 0) =>
    findingOf(faultOf(kind), [{ struck, disturbed, timed: true }], []);
  assert.deepEqual(found("kill-region", [one]).broken, []);
  assert.match(found("kill-region", [lost]).broken.join(), /1 players lost their room/);
  assert.deepEqual(found("kill-heir", [lost]).broken, []);
  assert.match(found("kill-region", [{ ...lost, kind: "away" }]).broken.join(), /not back in time/);
  assert.match(found("kill-region", [one], 1).broken.join(), /other regions were disturbed/);
  assert.match(found("cut-link", [one]).broken.join(), /noticed what nobody should/);

  const kept = summaryOf([found("kill-region", [one]), found("kill-heir", [lost])], nothingFound);
  assert.deepEqual([kept.struck, kept.sameRoom, kept.lostExcused], [2, 1, 1]);
  assert.ok(isKept(kept));
  assert.equal(isKept(summaryOf([], { ...nothingFound, doubled: ["x"] })), false);
  assert.equal(isKept(summaryOf([found("cut-link", [one])], nothingFound)), false);
});
