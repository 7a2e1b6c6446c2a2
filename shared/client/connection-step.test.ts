import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errorKinds, MeridianError } from "../errors.ts";
import {
  FIRST_RETURN_JITTER_MS,
  JOIN_ATTEMPTS_MAX,
  JOIN_BUDGET_MS,
  OPEN_DEADLINE_MS,
  RETURN_BUDGET_MS,
  STABLE_AFTER_MS,
} from "./connection-moves.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  type Effect,
  initialConnection,
} from "./connection-state.ts";
import { connectionStep } from "./connection-step.ts";
import { LIVENESS_PERIOD_MS, RECONNECT_AFTER_MS, SUSPECT_AFTER_MS } from "./silence.ts";
import { UNREACHABLE_AFTER_MS } from "./whereabouts.ts";

/** One connection, driven by hand: events in, effects out, its own time. */
class Driver {
  state: ConnectionState = initialConnection;
  nowMs = 1_000;
  dice = 0.5;
  effects: Effect[] = [];

  send(...events: ConnectionEvent[]): this {
    for (const event of events) {
      const at = { nowMs: this.nowMs, dice: this.dice };
      const [state, effects] = connectionStep(this.state, event, at);
      this.state = state;
      this.effects = [...effects];
    }
    return this;
  }

  /** Lets time pass, waking the step whenever it asked for it. */
  pass(ms: number): this {
    const untilMs = this.nowMs + ms;
    while (this.state.wakeAtMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.state.wakeAtMs);
      this.send({ type: "wake" });
    }
    this.nowMs = untilMs;
    return this;
  }

  /** Sleeps through the timers, then wakes up. */
  sleep(ms: number): this {
    this.nowMs += ms;
    return this.send({ type: "wake" });
  }

  get phase(): string {
    return this.state.view.phase;
  }

  seat(regionId = "beijing", nodeId = `${regionId}-1`): ConnectionEvent {
    return { type: "seat", serial: this.state.serial, regionId, nodeId };
  }

  refused(kind: ConstructorParameters<typeof MeridianError>[0], retryAfterMs?: number): this {
    const error = new MeridianError(kind, retryAfterMs === undefined ? {} : { retryAfterMs });
    return this.send({ type: "refused", serial: this.state.serial, error });
  }

  drop(code = 1006, reason = ""): this {
    return this.send({ type: "closed", code, reason });
  }
}

function playing(): Driver {
  const driver = new Driver().send({ type: "join" });
  return driver.send(driver.seat(), { type: "opened" });
}

test("from nothing to playing", () => {
  const driver = new Driver().send({ type: "join" });
  assert.deepEqual(driver.state.view, { phase: "joining", attempt: 1, nextInMs: 0 });
  assert.deepEqual(driver.effects, [{ type: "ask", serial: 1, returning: false }]);
  driver.send(driver.seat());
  assert.deepEqual(driver.state.view, { phase: "connecting", regionId: "beijing" });
  assert.deepEqual(driver.effects, [{ type: "open" }]);
  driver.send({ type: "opened" });
  assert.deepEqual(driver.state.view, { phase: "playing", regionId: "beijing" });
});

test("silence is doubted after 1.5 s, and after 4 s the connection is replaced", () => {
  const driver = playing();
  driver.pass(SUSPECT_AFTER_MS - 1);
  assert.equal(driver.phase, "playing");
  driver.pass(LIVENESS_PERIOD_MS);
  assert.equal(driver.phase, "suspect");
  driver.send({ type: "heard" });
  assert.equal(driver.phase, "playing");
  driver.pass(SUSPECT_AFTER_MS + LIVENESS_PERIOD_MS).send(driver.seat());
  assert.equal(driver.phase, "suspect", "the core says that the room is where it was");
  driver.pass(RECONNECT_AFTER_MS - SUSPECT_AFTER_MS + FIRST_RETURN_JITTER_MS);
  assert.equal(driver.phase, "reconnecting");
  assert.deepEqual(driver.effects, [{ type: "ask", serial: driver.state.serial, returning: true }]);
});

test("the core is asked as soon as a connection is doubted, and a move is followed at once", () => {
  const driver = playing().pass(SUSPECT_AFTER_MS + LIVENESS_PERIOD_MS);
  const { serial } = driver.state;
  const unreachable = "beijing-1";
  assert.equal(driver.phase, "suspect");
  driver.pass(700).send(driver.seat("tianjin"));
  assert.equal(serial, driver.state.serial, "asked once");
  assert.deepEqual(driver.effects, [{ type: "retire" }, { type: "open" }]);
  assert.deepEqual(driver.state.view, { phase: "moving", from: "beijing", to: "tianjin" });
  driver.pass(50).send({ type: "opened" });
  assert.deepEqual(driver.state.view, { phase: "playing", regionId: "tianjin" });
  const tookMs = SUSPECT_AFTER_MS + LIVENESS_PERIOD_MS + 750;
  const moved = { from: "beijing", to: "tianjin", tookMs, sameRoom: true };
  assert.deepEqual(driver.effects, [{ type: "moved", moved }]);

  const asks: Effect[] = [];
  const other = playing();
  for (let ms = 0; ms <= SUSPECT_AFTER_MS; ms += LIVENESS_PERIOD_MS) {
    other.pass(LIVENESS_PERIOD_MS);
    asks.push(...other.effects);
  }
  assert.deepEqual(asks, [{ type: "ask", serial: 2, returning: true, unreachable }]);
});

test("an answer to a doubt that is over leads nowhere", () => {
  const driver = playing().pass(SUSPECT_AFTER_MS + LIVENESS_PERIOD_MS);
  const late = driver.seat("tianjin");
  driver.send({ type: "heard" }, late);
  assert.equal(driver.phase, "playing");
  assert.deepEqual(driver.effects, []);
});

test("a connection that breaks while the core is asked waits for that answer", () => {
  for (const broken of ["silent", "closed"]) {
    const driver = playing().pass(SUSPECT_AFTER_MS + LIVENESS_PERIOD_MS);
    const { serial } = driver.state;
    if (broken === "closed") driver.drop();
    else driver.pass(RECONNECT_AFTER_MS - SUSPECT_AFTER_MS - LIVENESS_PERIOD_MS);
    assert.deepEqual(driver.effects, [{ type: "retire" }], broken);
    assert.deepEqual([driver.state.activity, driver.state.serial], ["asking", serial]);
    driver.send(driver.seat("tianjin"));
    assert.equal(driver.phase, "moving");
  }
});

test("a doubt that the core can't answer is told again after a while, not the end", () => {
  const driver = playing()
    .pass(SUSPECT_AFTER_MS + LIVENESS_PERIOD_MS)
    .refused("unavailable", 300);
  assert.equal(driver.phase, "suspect");
  const { serial } = driver.state;
  driver.pass(250);
  assert.equal(driver.state.serial, serial);
  driver.pass(700);
  assert.equal(driver.state.serial, serial + 1);
  driver.refused("room_not_found").pass(500);
  assert.deepEqual([driver.phase, driver.state.serial], ["suspect", serial + 1]);
});

test("a region that only this player can't reach is told to the core, then left for another", () => {
  const driver = playing().drop();
  const asked: Effect[] = [];
  const beganMs = driver.nowMs;
  while (driver.phase !== "joining") {
    driver.pass(100);
    if (driver.state.activity !== "asking") continue;
    asked.push(...driver.effects);
    driver.send(driver.seat());
    if (driver.phase !== "joining") driver.drop();
  }
  assert.ok(asked.length >= 3);
  for (const [at, effect] of asked.entries()) {
    const told = effect.type === "ask" ? effect.unreachable : "";
    assert.equal(told, at === 0 ? undefined : "beijing-1");
  }
  const tookMs = driver.nowMs - beganMs;
  assert.ok(tookMs >= UNREACHABLE_AFTER_MS && tookMs < 3 * UNREACHABLE_AFTER_MS, `${tookMs}`);
  const { serial } = driver.state;
  assert.deepEqual(driver.effects, [{ type: "ask", serial, returning: false, avoid: "beijing" }]);
  driver.send(driver.seat("tianjin"), { type: "opened" });
  const [effect] = driver.effects;
  assert.ok(effect?.type === "moved");
  assert.deepEqual(
    { ...effect.moved, tookMs: 0 },
    {
      from: "beijing",
      to: "tianjin",
      tookMs: 0,
      sameRoom: false,
    },
  );
});

test("a client that slept through an opening, or is offline itself, blames no region", () => {
  const asleep = playing().drop().pass(FIRST_RETURN_JITTER_MS);
  asleep.send(asleep.seat()).sleep(60_000);
  assert.equal(asleep.state.unreachable, undefined);
  const offline = playing().drop().pass(FIRST_RETURN_JITTER_MS);
  offline.send(offline.seat()).drop();
  assert.equal(offline.state.unreachable?.nodeId, "beijing-1");
  offline.pass(1_000).refused("timeout");
  assert.equal(offline.state.unreachable, undefined);
});

test("regular messages keep it playing for ever", () => {
  const driver = playing();
  for (let second = 0; second < 60; second += 0.5) {
    driver.pass(500).send({ type: "heard" });
    assert.equal(driver.phase, "playing");
  }
});

test("a waking device doesn't cry wolf: the silence counts from the waking", () => {
  const driver = playing().pass(400);
  driver.sleep(10 * 60_000);
  assert.equal(driver.phase, "playing");
  driver.pass(SUSPECT_AFTER_MS - LIVENESS_PERIOD_MS);
  assert.equal(driver.phase, "playing");
  driver.pass(2 * LIVENESS_PERIOD_MS);
  assert.equal(driver.phase, "suspect", "but a dead connection is found out all the same");
});

test("a tab whose timers were slowed to one a second still notices the silence", () => {
  const driver = playing();
  for (let second = 0; second < 3; second += 1) driver.sleep(1_000);
  assert.equal(driver.phase, "suspect");
});

test("a tab that becomes visible starts the count anew", () => {
  const driver = playing()
    .pass(SUSPECT_AFTER_MS - 100)
    .send({ type: "resumed" });
  driver.pass(SUSPECT_AFTER_MS - 100);
  assert.equal(driver.phase, "playing");
});

test("a network switch replaces the socket without waiting for the silence", () => {
  const driver = playing().send({ type: "networkChanged" });
  assert.equal(driver.phase, "reconnecting");
  assert.deepEqual(driver.effects, [{ type: "retire" }]);
  driver.pass(FIRST_RETURN_JITTER_MS);
  assert.equal(driver.effects[0]?.type, "ask");
  driver.send(driver.seat());
  assert.equal(driver.phase, "reconnecting", "still on the way");
  driver.send({ type: "opened" });
  assert.equal(driver.phase, "playing");
});

test("a network that comes back during the wait ends the wait", () => {
  const driver = playing().drop().pass(FIRST_RETURN_JITTER_MS).refused("unavailable");
  assert.equal(driver.state.activity, "waiting");
  driver.send({ type: "networkChanged" });
  assert.equal(driver.state.activity, "asking");
});

test("a room that is moved is asked for at once, however young the connection, and no question of before counts", () => {
  const driver = playing();
  for (const regionId of ["shanghai", "shenzhen"]) {
    driver.drop(1001, "room_moved");
    assert.deepEqual(
      driver.effects.map(({ type }) => type),
      ["retire", "ask"],
    );
    driver.send(driver.seat(regionId), { type: "opened" });
    assert.deepEqual(driver.state.view, { phase: "playing", regionId });
  }
  driver.pass(SUSPECT_AFTER_MS + LIVENESS_PERIOD_MS);
  const answerOfBefore = driver.seat("shenzhen");
  driver.drop(1001, "room_moved").send(answerOfBefore);
  assert.equal(driver.state.activity, "asking");
});

test("codes that mean 'retry' lead back, every other is final", () => {
  for (const code of [1001, 1005, 1006, 4010]) {
    const driver = playing().drop(code);
    assert.equal(driver.phase, "reconnecting", `${code}`);
    const view = driver.state.view;
    assert.ok(view.phase === "reconnecting" && view.nextInMs <= FIRST_RETURN_JITTER_MS);
  }
  for (const [code, reason, expected] of [
    [4408, "session_taken_over", "session_taken_over"],
    [4426, "update_required", "update_required"],
    [4429, "too_many_messages", "too_many_messages"],
    [4403, "forbidden", "forbidden"],
    [4000, "", "closed"],
    [1000, "whatever", "closed"],
  ] as const) {
    const driver = playing().drop(code, reason);
    assert.deepEqual(driver.state.view, { phase: "left", reason: expected });
    assert.equal(driver.state.wakeAtMs, Number.POSITIVE_INFINITY);
  }
});

test("a room or a seat that is gone is lost; a fresh join is the app's to decide", () => {
  for (const kind of ["room_not_found", "reconnect_expired"] as const) {
    const driver = playing().drop().pass(FIRST_RETURN_JITTER_MS).refused(kind);
    assert.equal(driver.phase, "lost");
    driver.send({ type: "join" });
    assert.deepEqual(driver.effects, [
      { type: "ask", serial: driver.state.serial, returning: false },
    ]);
  }
});

test("a return that the core refuses for good ends with its reason", () => {
  const driver = playing().drop().pass(FIRST_RETURN_JITTER_MS).refused("session_taken_over");
  assert.deepEqual(driver.state.view, { phase: "left", reason: "session_taken_over" });
});

test("a connection that breaks again and again backs off instead of hammering the core", () => {
  const driver = playing().pass(1);
  driver.dice = 0.999;
  const attempts: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    driver.drop();
    const { view } = driver.state;
    assert.equal(view.phase, "reconnecting");
    if (view.phase === "reconnecting") attempts.push(view.nextInMs);
    driver.pass(5_000);
    driver.send(driver.seat(), { type: "opened" });
  }
  assert.ok(
    attempts.every((ms, at) => at === 0 || ms > (attempts[at - 1] ?? 0)),
    `${attempts}`,
  );
  for (let ms = 0; ms < STABLE_AFTER_MS; ms += 500) driver.pass(500).send({ type: "heard" });
  driver.drop();
  assert.ok(driver.state.wakeAtMs - driver.nowMs <= FIRST_RETURN_JITTER_MS, "stable: at once");
});

test("a socket that does not open in time is another failed attempt", () => {
  const driver = new Driver().send({ type: "join" });
  driver.send(driver.seat()).pass(OPEN_DEADLINE_MS);
  assert.deepEqual([driver.phase, driver.state.attempt], ["joining", 2]);
});

test("a ticket that came too late is no failure: the next one is asked for", () => {
  const driver = new Driver().send({ type: "join" });
  driver.send(driver.seat()).drop(4410, "ticket_expired");
  assert.deepEqual([driver.phase, driver.state.attempt], ["joining", 2]);
});

test("a join honours what the core asks for, and gives up within its budget", () => {
  const driver = new Driver().send({ type: "join" }).refused("region_full", 3_000);
  assert.ok(driver.state.wakeAtMs >= driver.nowMs + 3_000);
  assert.equal(new Driver().send({ type: "join" }).refused("region_full", 60_000).phase, "failed");
  assert.equal(new Driver().send({ type: "join" }).refused("update_required").phase, "failed");
});

test("leaving says so to a live room, and forgets every search", () => {
  const driver = playing().send({ type: "leave" });
  assert.deepEqual(driver.state.view, { phase: "left", reason: "asked" });
  assert.deepEqual(driver.effects, [{ type: "sayLeave" }]);
  const searching = playing().drop().pass(FIRST_RETURN_JITTER_MS);
  const late = searching.seat();
  searching.send({ type: "leave" }, late);
  assert.equal(searching.phase, "left");
  assert.deepEqual(searching.effects, []);
});

const event = fc.oneof(
  fc.constantFrom<ConnectionEvent["type"]>("join", "opened", "heard", "networkChanged", "resumed"),
  fc.constantFrom(
    "seat" as const,
    "other seat" as const,
    "stale seat" as const,
    "wake late" as const,
  ),
  fc.record({ close: fc.constantFrom(1000, 1001, 1006, 4000, 4010, 4408) }),
  fc.record({ refuse: fc.constantFrom(...errorKinds()) }),
);
const history = fc.array(
  fc.record({ event, passMs: fc.nat(3_000), dice: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
  { minLength: 10, maxLength: 80 },
);

test("in every history: one attempt at a time, and every search ends within its budget", () => {
  fc.assert(
    fc.property(history, (steps) => {
      const driver = new Driver();
      let searchSinceMs: number | undefined;
      for (const { event: next, passMs, dice } of steps) {
        driver.dice = dice;
        if (typeof next === "object") {
          if ("close" in next) driver.drop(next.close);
          else driver.refused(next.refuse);
        } else if (next === "seat") driver.send(driver.seat());
        else if (next === "other seat") driver.send(driver.seat("tianjin"));
        else if (next === "stale seat") {
          const before = driver.state;
          driver.send({
            type: "seat",
            serial: driver.state.serial - 1,
            regionId: "nowhere",
            nodeId: "nowhere-1",
          });
          assert.equal(driver.state, before);
        } else if (next === "wake late") driver.sleep(5_000);
        else driver.send({ type: next } as ConnectionEvent);
        checkInvariants(driver);
        driver.pass(passMs);
        checkInvariants(driver);

        const searching = driver.state.activity === "waiting";
        if (!searching) searchSinceMs = undefined;
        else searchSinceMs ??= driver.nowMs;
        const budget = driver.state.returning ? RETURN_BUDGET_MS : JOIN_BUDGET_MS;
        assert.ok(driver.nowMs - (searchSinceMs ?? driver.nowMs) <= budget);
      }
    }),
    { numRuns: 500 },
  );
});

function checkInvariants({ state }: Driver): void {
  const { activity, view, wakeAtMs } = state;
  const over = ["idle", "lost", "left", "failed"].includes(view.phase);
  assert.equal(activity === "none", over, `${activity} in ${view.phase}`);
  assert.equal(activity === "live", ["playing", "suspect"].includes(view.phase));
  if (over || activity === "asking") assert.equal(wakeAtMs, Number.POSITIVE_INFINITY);
  else assert.ok(Number.isFinite(wakeAtMs), "something is awaited");
  if (!state.returning) assert.ok(state.attempt <= JOIN_ATTEMPTS_MAX);
}
