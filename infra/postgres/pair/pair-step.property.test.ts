/**
 * The step in a world where anything may break between a look and what is done about it: servers die and hang, the
 * link is cut, the manager is killed before or after an effect, a server's processes hear late that commits wait.
 * Whatever is acknowledged is kept account of, and each promotion is held against it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cases, testSeed } from "../../../shared/chance.testkit.ts";
import { FIRST_MARK, type MemberName, otherMember, type PairMark } from "./mark.ts";
import {
  carriedOut,
  decide,
  failed,
  PAIR_AT_START,
  PAIR_LIMITS,
  type PairEffect,
  type PairState,
  type Seen,
} from "./pair-step.ts";

interface Server {
  runs: boolean;
  hangs: boolean;
  recovers: boolean;
  /** What its data has, also while it is down. */
  wal: number;
  /** What an acknowledged commit must be found in. */
  generation: number | undefined;
  waits: boolean;
  /** Whether its processes know of `waits`. */
  heard: boolean;
}

const seed = testSeed();

const FAULTS = [
  "commit",
  "replicate",
  "hear",
  "kill a",
  "kill b",
  "hang a",
  "hang b",
  "wake a",
  "wake b",
  "cut",
  "heal",
  "slot lost",
] as const;
type Happening = (typeof FAULTS)[number];

/** Most of the time the pair gets on: it has to become promotable before a promotion can go wrong. */
const Happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("commit", "replicate", "hear") },
  { weight: 2, arbitrary: fc.constantFrom(...FAULTS) },
);
const Round = fc.record({
  before: fc.array(Happening, { maxLength: 3 }),
  between: fc.array(Happening, { maxLength: 3 }),
  passMs: fc.constantFrom(10, 100, 500, 1_500, 3_000),
  effect: fc.oneof(
    { weight: 40, arbitrary: fc.constant("done") },
    { weight: 1, arbitrary: fc.constantFrom("failed", "killed before", "killed after") },
  ),
});

class World {
  mark: PairMark = FIRST_MARK;
  state: PairState = PAIR_AT_START;
  nowMs = 0;
  link = true;
  slotLost = false;
  /** The newest commit that somebody was told of. */
  acknowledged = 0;
  promotions = 0;
  readonly servers: Record<MemberName, Server> = {
    a: { ...DOWN, generation: undefined },
    b: { ...DOWN, generation: undefined },
  };

  seen(): Seen {
    const primary = this.servers[this.mark.primary];
    const other = this.servers[otherMember(this.mark.primary)];
    return {
      nowMs: this.nowMs,
      primary: this.#primarySeen(primary, other),
      standby: {
        process: other.runs ? "up" : "down",
        usable: other.generation === this.mark.generation,
        keptAway: false,
      },
    };
  }

  happen(what: Happening): void {
    const { a, b } = this.servers;
    switch (what) {
      case "commit":
        for (const one of [a, b]) this.#commit(one);
        break;
      case "replicate":
        this.#replicate();
        break;
      case "hear":
        for (const one of [a, b]) one.heard = one.waits;
        break;
      case "cut":
        this.link = false;
        break;
      case "heal":
        this.link = true;
        break;
      case "slot lost":
        this.slotLost = true;
        break;
      default: {
        const [verb, name] = what.split(" ") as ["kill" | "hang" | "wake", MemberName];
        const server = this.servers[name];
        if (verb === "kill") server.runs = false;
        server.hangs = verb === "hang" && server.runs;
      }
    }
    this.#release();
  }

  /** @throws when the effect breaks what must hold */
  carryOut(effect: PairEffect): { settledBytes?: number } {
    const { mark } = this;
    const primary = this.servers[mark.primary];
    switch (effect.type) {
      case "write_mark":
        if (effect.mark.generation > mark.generation) {
          assert.ok(!primary.runs, "the former primary runs still");
          const next = this.servers[effect.mark.primary];
          assert.ok(next.wal >= this.acknowledged, "an acknowledged commit would be lost");
          this.promotions += 1;
        }
        this.mark = effect.mark;
        return {};
      case "start_primary":
        assert.equal(effect.member, mark.primary);
        assert.ok(!mark.promotable, "what it has not replicated can be seen from now on");
        Object.assign(primary, { runs: true, hangs: false, waits: false, heard: false });
        if (!primary.recovers) this.acknowledged = primary.wal;
        break;
      case "fence":
        Object.assign(this.servers[effect.member], { runs: false, hangs: false });
        break;
      case "promote":
        assert.equal(effect.member, mark.primary);
        Object.assign(primary, { recovers: false, waits: false, heard: false });
        break;
      case "announce":
        break;
      case "set_waits":
        assert.ok(effect.on || !mark.promotable);
        primary.waits = effect.on;
        // Never sure that it was heard, one way or the other.
        break;
      case "settle":
        primary.heard = primary.waits;
        return { settledBytes: primary.wal };
      case "build_standby": {
        assert.ok(!mark.promotable && effect.member !== mark.primary);
        const copy = { ...DOWN, runs: true, recovers: true, wal: primary.wal };
        Object.assign(this.servers[effect.member], copy, { generation: mark.generation });
        this.slotLost = false;
        break;
      }
      case "start_standby":
        assert.equal(this.servers[effect.member].generation, mark.generation);
        Object.assign(this.servers[effect.member], { runs: true, hangs: false });
        break;
    }
    this.oneWriter();
    return {};
  }

  /** Of those that could let somebody write, one at most. */
  oneWriter(): void {
    const { a, b } = this.servers;
    const writers = [a, b].filter(({ runs, recovers }) => runs && !recovers);
    assert.ok(writers.length <= 1, "two primaries");
  }

  #primarySeen(primary: Server, other: Server): Seen["primary"] {
    if (!primary.runs) return { is: "down", keptAway: false };
    if (primary.hangs) return { is: "silent" };
    if (primary.recovers) return { is: "recovering" };
    const connected = this.#connected(primary, other);
    return {
      is: "serving",
      waits: primary.waits,
      walBytes: primary.wal,
      standby: connected ? { isSync: primary.waits, flushedBytes: other.wal } : undefined,
      slotLost: this.slotLost,
    };
  }

  #connected(primary: Server, other: Server): boolean {
    const follows = other.runs && !other.hangs && other.recovers && !primary.recovers;
    return this.link && follows && other.generation === this.mark.generation && !this.slotLost;
  }

  /** One that hangs for its manager may go on for those who are connected. */
  #commit(server: Server): void {
    if (!server.runs || server.recovers) return;
    server.wal += 1;
    if (!server.heard) this.acknowledged = Math.max(this.acknowledged, server.wal);
  }

  #replicate(): void {
    const primary = this.servers[this.mark.primary];
    const other = this.servers[otherMember(this.mark.primary)];
    if (primary.runs && this.#connected(primary, other))
      other.wal = Math.max(other.wal, primary.wal);
  }

  /** Who waits is told once the standby has it, or the primary is not to wait any more. */
  #release(): void {
    const primary = this.servers[this.mark.primary];
    const other = this.servers[otherMember(this.mark.primary)];
    if (!primary.runs || primary.recovers) return;
    const upTo = primary.heard ? Math.min(primary.wal, other.wal) : primary.wal;
    if (!primary.heard || this.#connected(primary, other)) {
      this.acknowledged = Math.max(this.acknowledged, upTo);
    }
  }
}

const DOWN: Server = {
  runs: false,
  hangs: false,
  recovers: false,
  wal: 0,
  generation: undefined,
  waits: false,
  heard: false,
};

interface Round {
  readonly before: readonly Happening[];
  readonly between: readonly Happening[];
  readonly passMs: number;
  readonly effect: string;
}

function play(world: World, round: Round): void {
  for (const what of round.before) world.happen(what);
  const seen = world.seen();
  const { state, effect } = decide(world.state, seen, world.mark);
  world.state = state;
  for (const what of round.between) world.happen(what);
  if (effect) act(world, effect, round.effect);
  world.oneWriter();
  world.nowMs += round.passMs;
}

function act(world: World, effect: PairEffect, how: string): void {
  // What the manager owns is known to it; what it only saw may have changed by now.
  const primary = world.servers[world.mark.primary];
  const needsAnswer = ["promote", "announce", "set_waits", "settle", "build_standby"];
  const impossible = needsAnswer.includes(effect.type) && (!primary.runs || primary.hangs);
  if (how === "killed before") {
    world.state = PAIR_AT_START;
    for (const server of Object.values(world.servers)) server.runs = false;
    return;
  }
  if (how === "failed" || impossible) {
    world.state = failed(world.state, effect, world.nowMs);
    return;
  }
  const result = world.carryOut(effect);
  world.state = carriedOut(world.state, effect, result);
  if (how !== "killed after") return;
  // The next manager ends what it finds before it begins.
  world.state = PAIR_AT_START;
  for (const server of Object.values(world.servers)) server.runs = false;
}

test("nothing acknowledged is missing from what is promoted, and there is one primary", (t) => {
  t.diagnostic(`seed ${seed}`);
  let promotions = 0;
  fc.assert(
    fc.property(fc.array(Round, { minLength: 20, maxLength: 100 }), (rounds) => {
      const world = new World();
      for (const round of rounds) play(world, round);
      promotions += world.promotions;
    }),
    { numRuns: cases(2_000, 50_000), seed },
  );
  assert.ok(promotions > 100, `only ${promotions} promotions were seen`);
});

test("once nothing breaks any more, the pair serves and its standby may be promoted", () => {
  fc.assert(
    fc.property(fc.array(Round, { maxLength: 60 }), (rounds) => {
      const world = new World();
      for (const round of rounds) play(world, round);
      for (const name of ["wake a", "wake b", "heal"] as const) world.happen(name);
      const calm = {
        before: ["replicate"],
        between: ["hear"],
        passMs: 500,
        effect: "done",
      } as const;
      for (let round = 0; round < 200; round += 1) play(world, calm);
      assert.equal(world.seen().primary.is, "serving");
      assert.ok(world.mark.promotable && world.state.announced);
    }),
    { numRuns: cases(300, 5_000), seed },
  );
});

test("a standby that is lost is not waited for longer than its time, and is not promotable by then", () => {
  const world = new World();
  const calm = {
    before: ["commit", "replicate"],
    between: [],
    passMs: 100,
    effect: "done",
  } as const;
  for (let round = 0; round < 30; round += 1) play(world, calm);
  assert.ok(world.mark.promotable && world.servers.a.waits);
  world.happen("hang b");
  const lostMs = world.nowMs;
  while (world.servers.a.waits) {
    play(world, { before: ["commit"], between: [], passMs: 100, effect: "done" });
    assert.ok(world.nowMs - lostMs <= PAIR_LIMITS.lostMs + 500);
  }
  assert.ok(!world.mark.promotable);
  world.happen("kill a");
  play(world, calm);
  assert.equal(world.mark.primary, "a", "it stays down until it returns");
  assert.equal(world.promotions, 0);
});
