/**
 * What `npm run faults -- --disasters` draws at random, each once and two of them together with a region: a core of
 * two processes and a database with a standby lose nothing of value, and whoever plays plays on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "../../shared/chance.testkit.ts";
import { RegionId } from "../../shared/ids.ts";
import { worldForTests } from "../world.ts";
import { runCampaign, WORLD_OPTIONS } from "./campaign.ts";
import { DISASTER_KINDS, DISASTERS, type Fault, planFaults, wavesOf } from "./fault.ts";

const MORE_FAULTS = cases(0, 100);
const OPS_MIN = 300;
const world = worldForTests({
  ...WORLD_OPTIONS,
  regions: 2,
  cores: 2,
  standby: true,
  // Who ends by itself is started again, as by an orchestrator.
  restartDelayMs: 500,
});
const seed = Number(process.env.TEST_SEED ?? 1);

test("leader, cores, primary, standby and what is between them are lost, and nothing of value is", async () => {
  const regionIds = [...world().regions.keys()];
  const [regionId] = regionIds;
  assert.ok(regionId);
  const faults: Fault[] = [
    { kind: "kill-region", regionId, lastsMs: 0 },
    { kind: "kill-leader", lastsMs: 0 },
    { kind: "kill-cores", lastsMs: 500 },
    { kind: "stop-primary", lastsMs: 200 },
    { kind: "cut-standby", lastsMs: 500 },
    { kind: "kill-region", regionId, lastsMs: 0 },
    { kind: "kill-primary", lastsMs: 0 },
    { kind: "stop-standby", lastsMs: 300 },
    { kind: "kill-standby", lastsMs: 0 },
    // Past its lease.
    { kind: "stop-leader", lastsMs: 3_500 },
    ...planFaults({ seed, count: MORE_FAULTS, regionIds, kinds: DISASTER_KINDS }),
  ];
  const { outcomes, audit } = await runCampaign({
    world: world(),
    faults,
    playersPerRegion: 2,
    tradersPerRegion: 2,
    seed,
    say: (line) => console.log(line),
  });
  const kinds = outcomes.map(({ fault }) => fault.kind);
  assert.ok(DISASTERS.every((kind) => kinds.includes(kind)));
  assert.ok(audit.promised >= OPS_MIN, `only ${audit.promised} operations`);
});

test("a region is lost together with the leader and with the primary, and never two of the centre at once", () => {
  const regionIds = ["a", "b"].map((id) => RegionId.parse(id));
  const count = 100 * DISASTER_KINDS.length;
  const faults = planFaults({ seed, count, regionIds, kinds: DISASTER_KINDS });
  const waves = wavesOf(faults);
  assert.deepEqual(waves.flat(), faults);
  const texts = waves.map((wave) => wave.map(({ kind }) => kind).join(" "));
  for (const both of ["kill-region kill-leader", "kill-region kill-primary"]) {
    assert.ok(
      texts.some((text) => text.startsWith(both)),
      `${both} never came`,
    );
  }
  const central = /(leader|cores|primary|standby).* \S+-(leader|cores|primary|standby)/;
  for (const text of texts) assert.doesNotMatch(text, central);
});
