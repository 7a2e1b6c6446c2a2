/**
 * Whatever players, regions and the core do, the waiting rooms keep what they promise: see `RoomsModel`.
 *
 * TEST_SEED=<number> replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import { CLASSES_DEFAULT, parseClasses } from "./classes.ts";
import { RoomsModel, type SimRegion } from "./rooms-model.testkit.ts";

const WORLDS = cases(15, 3_000);
const STEPS = 400;
const PLAYERS = 45;
const REGIONS = 3;
const PARTY_MAX = 5;
const CLASSES = parseClasses(CLASSES_DEFAULT);
/** Longer than any place is kept that nobody asks about, with all that may come before, ms. */
const SILENCE_MS = 720_000;
const EXPECTED = ["queue_full", "region_full", "place_lost", "too_many_requests", "bad_request"];

test("random worlds: places, calls and seats are as they have to be after each step", (t) => {
  const base = testSeed();
  let calls = 0;
  let seated = 0;
  for (let n = 0; n < WORLDS; n += 1) {
    const world = new World(base + n);
    world.run();
    calls += world.model.calls;
    seated += world.seated;
  }
  t.diagnostic(`seed ${base}: ${WORLDS} worlds, ${calls} calls, ${seated} seated`);
  assert.ok(seated > WORLDS * 5, "something happened");
});

class World {
  readonly model: RoomsModel;
  seated = 0;
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #players: readonly PlayerId[];
  readonly #taking = new Map<PlayerId, RegionId>();
  readonly #unlimited: boolean;
  #done = "";

  constructor(seed: number) {
    this.#seed = seed;
    const chance = new Chance(seed);
    this.#chance = chance;
    this.#unlimited = chance.once(2);
    this.#players = Array.from({ length: PLAYERS }, (_, n) => `p${n}` as PlayerId);
    const regions = Array.from({ length: REGIONS }, (_, n): SimRegion => {
      const capacity = 2 + chance.below(8);
      const headroom = chance.below(3);
      const id = `r${n}` as RegionId;
      return { id, capacity, headroom, known: true, taken: new Set(), level: 0, levelAtMs: 0 };
    });
    const rate = this.#unlimited ? { perSecond: 1e6, burst: 1e6 } : { perSecond: 0.5, burst: 3 };
    const settings = { classes: CLASSES, rate, waitingMax: 25, pollsPerSecondMax: 100 };
    this.model = new RoomsModel(settings, regions, chance.once(2) ? 12 : 1_000);
  }

  run(): void {
    const { model } = this;
    model.report();
    for (let step = 0; step < STEPS; step += 1) this.#step(() => this.#act());
    const endMs = model.nowMs + SILENCE_MS;
    while (model.nowMs < endMs) this.#step(() => this.#pass(1_000));
    assert.equal(model.rooms.players, 0, `seed ${this.#seed}: somebody is left`);
    for (const { held, waiting } of model.rooms.queues.values()) assert.equal(held + waiting, 0);
    for (const entry of model.rooms.takeChanged().values()) assert.equal(entry, undefined);
  }

  #step(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof MeridianError && EXPECTED.includes(error.kind))) {
        throw new Error(`seed ${this.#seed}: ${this.#done}`, { cause: error });
      }
    }
    this.model.check(`seed ${this.#seed}: ${this.#done}`);
  }

  #act(): void {
    const { model } = this;
    const chance = this.#chance;
    const player = chance.of(this.#players);
    const dice = chance.below(100);
    this.#done = `${dice} of ${player}`;
    if (dice < 20) this.#enter(player);
    else if (dice < 45) this.#poll(player);
    else if (dice < 60) this.#pass(chance.once(10) ? 20_000 : chance.below(4_000));
    else if (dice < 72) this.#take();
    else if (dice < 84) this.#answer();
    else if (dice < 90) this.#endSession();
    else if (dice < 92) this.#vanish(player);
    else if (dice < 94) this.#leave(player);
    else if (dice < 96) this.#accept(player);
    else if (dice < 99) this.#changeRegion();
    else if (chance.once(3)) {
      this.#taking.clear();
      model.restart();
    }
  }

  #enter(playerId: PlayerId): void {
    const { model } = this;
    const chance = this.#chance;
    if (isPlaying(model, playerId)) return;
    const idle = this.#players.filter((id) => id !== playerId && !isPlaying(model, id));
    const party = chance.once(4) ? idle.slice(0, 1 + chance.below(PARTY_MAX - 1)) : [];
    const invited = chance.once(4) ? [chance.of(idle)].filter((id) => !party.includes(id)) : [];
    const [home, ...rest] = [...model.regions].sort(() => chance.float() - 0.5);
    if (!home) return;
    const both = chance.once(3) ? rest.slice(0, 1) : [];
    const others = rest.slice(both.length).map(({ id }) => ({ regionId: id, addedMs: 20 }));
    model.enter({
      ...{ playerId, party, invited, others, mayWait: !chance.once(10) },
      class: chance.of(CLASSES).name,
      regionIds: [home, ...both].map(({ id }) => id),
    });
    model.check(this.#done);
    if (!chance.once(10)) model.stand(playerId, chance.float());
  }

  #poll(playerId: PlayerId): void {
    this.model.poll(playerId, this.#chance.once(5));
    this.model.check(this.#done);
    this.model.stand(playerId, this.#chance.float());
  }

  #pass(ms: number): void {
    const { model } = this;
    const endMs = model.nowMs + ms;
    while (model.nowMs < endMs) {
      model.nowMs = Math.min(endMs, model.nowMs + 1_000);
      model.rooms.advance(model.nowMs);
      model.check(this.#done);
      const isShut = model.nowMs < model.pausedUntilMs;
      if (this.#unlimited && !isShut) model.checkNoneIdle(this.#done);
    }
  }

  #take(): void {
    const { model } = this;
    const called = [...model.spots].filter(([, { called: region }]) => region).map(([id]) => id);
    if (called.length === 0) return;
    const player = this.#chance.of(called);
    const regionId = model.rooms.take(player, model.nowMs);
    assert.equal(regionId, model.spots.get(player)?.called, "called to another region");
    if (regionId) this.#taking.set(player, regionId);
  }

  /** A region answers somebody who took a call: it has the seat, or has not. */
  #answer(): void {
    const { model } = this;
    const [[playerId, regionId] = []] = this.#taking;
    if (!playerId) return;
    this.#taking.delete(playerId);
    const region = model.regions.find(({ id }) => id === regionId);
    const hasSeat = region && region.taken.size < region.capacity && !isPlaying(model, playerId);
    if (!hasSeat || this.#chance.once(5) || !model.spots.has(playerId)) {
      model.rooms.untaken(playerId, model.nowMs);
      return;
    }
    region.taken.add(playerId);
    this.seated += 1;
    model.report();
    model.rooms.seated(playerId, model.nowMs);
    model.forget(playerId);
    assert.equal(model.rooms.find(playerId), undefined);
  }

  #endSession(): void {
    const region = this.#chance.of(this.model.regions);
    const [player] = region.taken;
    if (player) region.taken.delete(player);
    this.model.report();
  }

  #vanish(playerId: PlayerId): void {
    const { model } = this;
    const waiter = model.spots.get(playerId)?.members.get(playerId);
    if (!waiter || !model.rooms.find(playerId)) return;
    if (waiter.presentUntilMs > model.nowMs) waiter.seenMs = model.nowMs;
    waiter.presentUntilMs = model.nowMs;
    model.rooms.vanished(playerId, model.nowMs);
  }

  #leave(playerId: PlayerId): void {
    this.model.rooms.leave(playerId, this.model.nowMs);
    this.model.forget(playerId);
  }

  #accept(playerId: PlayerId): void {
    const { model } = this;
    const member = model.rooms.find(playerId);
    if (!member) return;
    const before = member.entry.places[0];
    const region = this.#chance.of(model.regions).id;
    const spot = model.spots.get(playerId);
    const isNew = !member.entry.places.some(({ regionId }) => regionId === region);
    const [, second] = member.entry.places;
    try {
      model.rooms.accept(member, region, model.nowMs);
    } finally {
      assert.equal(member.entry.places[0], before, "the place was lost for an offer");
      if (isNew && second && !member.entry.places.includes(second)) {
        spot?.numbers.delete(second.regionId);
        spot?.passed.delete(second.regionId);
      }
      for (const { regionId, number } of member.entry.places) spot?.numbers.set(regionId, number);
    }
  }

  #changeRegion(): void {
    const chance = this.#chance;
    const region = chance.of(this.model.regions);
    if (chance.once(2)) region.known = !region.known;
    else region.capacity = Math.max(region.taken.size, 2 + chance.below(8));
    this.model.report();
  }
}

function isPlaying(model: RoomsModel, playerId: PlayerId): boolean {
  return model.regions.some(({ taken }) => taken.has(playerId));
}
