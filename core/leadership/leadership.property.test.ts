/**
 * Cores and a database whose answers are late or don't come, with processes that are killed, stand still, and start
 * again: never do two lead within their leases, terms rise, and once all is well one leads and goes on leading.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import {
  follower,
  LEASE_MS,
  type LeadershipEffect,
  type LeadershipEvent,
  type LeadershipState,
  type LeaseRow,
  leadershipStep,
  standingOf,
} from "./leadership-step.ts";

const WORLDS = cases(60, 5_000);
const TROUBLE_MS = 60_000;
const CALM_MS = 20_000;
const STEP_MS = 20;
const RESTART_MS = 1_500;
const LATE_MS = 300;

interface Core {
  readonly name: string;
  /** Counts up with each life: answers to a former one are lost. */
  life: number;
  state: LeadershipState;
  /** Stands still until then. */
  stillUntilMs: number;
  /** Down until then; undefined while it runs. */
  downUntilMs: number | undefined;
}

interface Pending {
  readonly core: Core;
  readonly life: number;
  readonly sentMs: number;
  readonly effect: LeadershipEffect;
  readonly carriedOutMs: number;
  readonly answeredMs: number;
  answer?: LeadershipEvent;
}

class World {
  readonly cores: readonly Core[];
  readonly #chance: Chance;
  #nowMs = 0;
  #row = { holder: "", term: 0, coreTerm: 0, untilMs: 0 };
  #coreTerm = 1;
  #awayUntilMs = 0;
  #pending: Pending[] = [];
  #lastTerm = 0;
  #calm = false;
  elections = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.cores = Array.from({ length: 2 + chance.below(2) }, (_, n) => ({
      name: `core-${n}`,
      life: 0,
      state: follower(`core-${n}`, 0),
      stillUntilMs: 0,
      downUntilMs: undefined,
    }));
  }

  run(ms: number, trouble: boolean): void {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; ) {
      this.#nowMs += STEP_MS;
      if (trouble) this.#trouble();
      this.#database();
      for (const core of this.cores) this.#turn(core);
      const leading = this.leading();
      assert.ok(leading.length <= 1, `${leading.join(" and ")} lead at ${this.#nowMs}`);
    }
  }

  leading(): string[] {
    return this.cores
      .filter((core) => core.downUntilMs === undefined)
      .filter(({ state }) => standingOf(state, this.#nowMs) === "sure")
      .map(({ name }) => name);
  }

  heal(): void {
    this.#calm = true;
    this.#awayUntilMs = 0;
    for (const core of this.cores) core.stillUntilMs = 0;
  }

  #trouble(): void {
    const chance = this.#chance;
    if (chance.once(400)) this.#awayUntilMs = this.#nowMs + chance.below(8_000);
    if (chance.once(2_000)) this.#coreTerm += 1;
    for (const core of this.cores) {
      if (chance.once(400)) core.stillUntilMs = this.#nowMs + chance.below(2 * LEASE_MS);
      if (chance.once(600)) this.#kill(core);
      if (chance.once(600)) this.#giveBack(core);
    }
  }

  #kill(core: Core): void {
    core.life += 1;
    core.downUntilMs = this.#nowMs + this.#chance.below(2 * RESTART_MS);
  }

  #giveBack(core: Core): void {
    const { state } = core;
    if (state.role !== "leading" || core.stillUntilMs > this.#nowMs) return;
    if (this.#isOurs(state.lead)) this.#row.untilMs = this.#nowMs;
    this.#step(core, { type: "givenBack" });
    this.#kill(core);
  }

  #turn(core: Core): void {
    if (core.downUntilMs !== undefined) {
      if (core.downUntilMs > this.#nowMs) return;
      core.downUntilMs = undefined;
      core.state = follower(core.name, this.#nowMs);
    }
    if (core.stillUntilMs > this.#nowMs) return;
    const timersFirst = this.#chance.once(2);
    if (timersFirst) this.#tick(core);
    const due = this.#pending.filter((one) => one.core === core && one.answeredMs <= this.#nowMs);
    this.#pending = this.#pending.filter((one) => !due.includes(one));
    const away: LeadershipEvent = { type: "away" };
    for (const { life, answer = away } of due) {
      if (life === core.life) this.#step(core, answer);
    }
    if (!timersFirst) this.#tick(core);
  }

  #tick(core: Core): void {
    this.#step(core, { type: "tick", random: this.#chance.float() });
  }

  #step(core: Core, event: LeadershipEvent): void {
    const [state, effects] = leadershipStep(core.state, event, this.#nowMs);
    core.state = state;
    for (const effect of effects) {
      if (effect.type === "end") this.#kill(core);
      else if (effect.type === "lead") this.#elected(effect.lead.term);
      else this.#send(core, effect);
    }
  }

  #elected(term: number): void {
    assert.ok(term > this.#lastTerm, `term ${term} after ${this.#lastTerm}`);
    this.#lastTerm = term;
    this.elections += 1;
  }

  #send(core: Core, effect: LeadershipEffect): void {
    const carriedOutMs = this.#nowMs + this.#chance.below(LATE_MS);
    const answeredMs = carriedOutMs + this.#chance.below(LATE_MS);
    const { life } = core;
    this.#pending.push({ core, life, sentMs: this.#nowMs, effect, carriedOutMs, answeredMs });
  }

  #database(): void {
    for (const one of this.#pending) {
      const due = one.carriedOutMs > this.#nowMs - STEP_MS && one.carriedOutMs <= this.#nowMs;
      if (!due || this.#awayUntilMs > this.#nowMs) continue;
      const answer = this.#answerTo(one);
      // Carried out, and the answer is lost.
      if (this.#calm || !this.#chance.once(20)) one.answer = answer;
    }
  }

  #answerTo({ core, effect, sentMs }: Pending): LeadershipEvent {
    const row = this.#row;
    if (effect.type === "look") return { type: "seen", row: this.#seen() };
    if (effect.type === "renew") {
      if (!this.#isOurs(effect.lead)) return { type: "notRenewed", row: this.#seen() };
      row.untilMs = this.#nowMs + LEASE_MS;
      return { type: "renewed", sentMs };
    }
    if (row.untilMs > this.#nowMs && row.holder !== core.name) return { type: "notTaken" };
    const lead = { term: row.term + 1, coreTerm: this.#coreTerm };
    this.#row = { holder: core.name, ...lead, untilMs: this.#nowMs + LEASE_MS };
    return { type: "taken", lead, sentMs };
  }

  #isOurs(lead: { readonly term: number; readonly coreTerm: number }): boolean {
    return lead.term === this.#row.term && lead.coreTerm === this.#coreTerm;
  }

  #seen(): LeaseRow {
    const { untilMs, ...row } = this.#row;
    return { ...row, coreTermNow: this.#coreTerm, leftMs: untilMs - this.#nowMs };
  }
}

test("never do two lead, terms rise, and one leads when all is well", () => {
  const seed = testSeed();
  let elections = 0;
  for (let n = 0; n < WORLDS; n += 1) {
    const world = new World(new Chance(seed + n));
    try {
      world.run(TROUBLE_MS, true);
      world.heal();
      world.run(CALM_MS / 2, false);
      const leader = world.leading();
      assert.equal(leader.length, 1);
      const before = world.elections;
      world.run(CALM_MS / 2, false);
      assert.deepEqual([world.leading(), world.elections], [leader, before], "it goes on leading");
      elections += world.elections;
    } catch (cause) {
      throw new Error(`TEST_SEED=${seed + n}`, { cause });
    }
  }
  assert.ok(elections > 3 * WORLDS, `only ${elections} elections in ${WORLDS} worlds`);
});
