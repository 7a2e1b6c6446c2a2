import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ErrorKind, errorKinds, MeridianError } from "../errors.ts";
import type { QueuePlace } from "../protocol/queue.ts";
import type { WaitingPlace } from "./connection.ts";
import { JOIN_BUDGET_MS } from "./connection-moves.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  type Effect,
  initialConnection,
} from "./connection-state.ts";
import { connectionStep } from "./connection-step.ts";
import { QUEUE_BACKOFF, STREAM_AGAIN_MS } from "./queue-step.ts";
import { GRACE_MS, OFFER, POLL_AFTER_MS, placeOf } from "./scripted-queue.testkit.ts";

const beginning = { position: 3, atMs: 1_700_000_000_000 };

/** A connection in its queue, driven by hand. */
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

  pass(ms: number): this {
    const untilMs = this.nowMs + ms;
    while (this.state.wakeAtMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.state.wakeAtMs);
      this.send({ type: "wake" });
    }
    this.nowMs = untilMs;
    return this;
  }

  queue(place: Partial<QueuePlace> = {}, { hidden = false, streams = false } = {}): this {
    const { serial } = this.state;
    return this.send({
      type: "queued",
      serial,
      place: placeOf(place),
      beginning,
      hidden,
      streams,
    });
  }

  place(change: Partial<QueuePlace> = {}): this {
    return this.send({ type: "place", place: placeOf(change), beginning });
  }

  unanswered(kind: ErrorKind, retryAfterMs = 0): this {
    return this.send({ type: "unanswered", error: new MeridianError(kind, { retryAfterMs }) });
  }

  refused(kind: ErrorKind): this {
    const { serial } = this.state;
    return this.send({ type: "refused", serial, error: new MeridianError(kind) });
  }

  seat(): this {
    return this.send({
      type: "seat",
      serial: this.state.serial,
      regionId: "beijing",
      nodeId: "beijing-1",
    });
  }

  get phase(): string {
    return this.state.view.phase;
  }

  /** What is shown of the place, while there is one. */
  get shown(): WaitingPlace | undefined {
    return "place" in this.state.view ? this.state.view.place : undefined;
  }

  get offered(): readonly string[] {
    const { view } = this.state;
    return view.phase === "offered" ? view.offers.map(({ regionId }) => regionId) : [];
  }

  get doing(): readonly string[] {
    return this.effects.map(({ type }) => type);
  }
}

const waiting = (place: Partial<QueuePlace> = {}, circumstances = {}) =>
  new Driver().send({ type: "join" }).queue(place, circumstances);
const poll = { type: "poll", hidden: false, accept: undefined };

test("waits as long as it takes, asking when it was told to, then takes the seat", () => {
  const driver = waiting();
  const { view } = driver.state;
  assert.ok(view.phase === "queued");
  assert.deepEqual([view.place.position, view.place.firstPosition], [3, 3]);
  assert.ok(!("token" in view.place), "the token is nobody else's business");
  for (let round = 0; round < 100; round += 1) {
    driver.pass(POLL_AFTER_MS - 1);
    assert.deepEqual(driver.state.queue?.activity, "pausing", "not sooner");
    driver.pass(1);
    assert.deepEqual(driver.effects, [poll]);
    driver.place({ position: 2 });
  }
  driver.pass(POLL_AFTER_MS).place({ state: "called", position: 1 });
  assert.deepEqual(driver.state.view, { phase: "admitted", regionId: "beijing" });
  assert.deepEqual(driver.doing, ["hush", "ask"]);
  driver.seat();
  assert.deepEqual(driver.state.view, { phase: "connecting", regionId: "beijing" });
  assert.equal(driver.state.queue, undefined);
});

test("a region that calls and then gives no seat is asked again by a poll, not at once", () => {
  const driver = waiting().pass(POLL_AFTER_MS).place({ state: "called" }).queue();
  assert.equal(driver.phase, "queued");
  assert.deepEqual(driver.effects, []);
  driver.pass(POLL_AFTER_MS);
  assert.deepEqual(driver.effects, [poll]);
});

test("a poll that fails costs no place, as long as the core may keep it", () => {
  const driver = waiting().pass(POLL_AFTER_MS);
  while (driver.nowMs < 1_000 + GRACE_MS) {
    assert.equal(driver.phase, "queued");
    driver.unanswered("unavailable");
    assert.ok(driver.state.wakeAtMs <= driver.nowMs + QUEUE_BACKOFF.mostMs);
    driver.pass(QUEUE_BACKOFF.mostMs);
  }
  driver.unanswered("timeout");
  assert.deepEqual(
    [driver.phase, driver.doing],
    ["joining", ["ask"]],
    "with the token all the same",
  );
});

test("a core that says 'slow down' is left alone for as long as it says", () => {
  const driver = waiting().pass(POLL_AFTER_MS).unanswered("too_many_requests", 9_000);
  assert.ok(driver.state.wakeAtMs >= driver.nowMs + 9_000);
});

test("the seat that a called place could not be exchanged for is asked for by polling on", () => {
  const driver = waiting().pass(POLL_AFTER_MS).place({ state: "called" }).refused("unavailable");
  assert.equal(driver.phase, "queued");
  driver.pass(QUEUE_BACKOFF.mostMs);
  assert.deepEqual(driver.effects, [poll]);
  driver.place({ state: "called" }).seat();
  assert.equal(driver.phase, "connecting");
});

test("a place that is lost is asked for anew once; another loss before any news is the end", () => {
  const driver = waiting().pass(POLL_AFTER_MS).unanswered("place_lost");
  assert.deepEqual([driver.phase, driver.doing], ["joining", ["forgetPlace", "ask"]]);
  driver.refused("place_lost");
  assert.ok(driver.state.view.phase === "failed");
  assert.equal(driver.state.view.error.kind, "place_lost");

  const later = waiting().pass(POLL_AFTER_MS).unanswered("place_lost").queue();
  later.pass(POLL_AFTER_MS).place().pass(POLL_AFTER_MS).unanswered("place_lost");
  assert.equal(later.phase, "joining", "there was news in between");
});

test("a token from before that is worth nothing is forgotten", () => {
  const driver = new Driver().send({ type: "join" }).refused("place_lost");
  assert.deepEqual([driver.phase, driver.doing], ["joining", ["forgetPlace", "ask"]]);
});

test("a full queue, and what trying again can't mend, end the search at once", () => {
  for (const kind of ["queue_full", "queued"] as const) {
    const { view } = new Driver().send({ type: "join" }).refused(kind).state;
    assert.ok(view.phase === "failed");
    assert.equal(view.error.kind, kind);
  }
  assert.equal(waiting().pass(POLL_AFTER_MS).unanswered("banned").phase, "failed");
});

test("an offer is told, accepted at once, and not told again once declined", () => {
  const driver = waiting({ offers: [OFFER] });
  assert.deepEqual(driver.offered, ["tianjin"]);
  driver.send({ type: "accept", regionId: "tianjin" });
  assert.deepEqual(driver.effects, [{ ...poll, accept: "tianjin" }]);
  assert.deepEqual([driver.phase, driver.shown?.accepting], ["queued", "tianjin"]);
  driver.unanswered("unavailable").pass(QUEUE_BACKOFF.mostMs);
  assert.deepEqual(driver.effects, [{ ...poll, accept: "tianjin" }], "until it was heard");
  driver.place({ alsoWaitsFor: OFFER.regionId });
  assert.equal(driver.phase, "queued");
  assert.deepEqual([driver.shown?.accepting, driver.shown?.alsoWaitsFor], [undefined, "tianjin"]);

  const other = waiting({ offers: [OFFER] }).send({ type: "decline", regionId: "tianjin" });
  assert.deepEqual([other.phase, other.effects], ["queued", []]);
  other.pass(POLL_AFTER_MS).place({ offers: [OFFER] });
  assert.equal(other.phase, "queued");
});

test("an offer that is gone meanwhile leaves everything as it was", () => {
  const driver = waiting({ offers: [OFFER] }).send({ type: "accept", regionId: "tianjin" });
  driver.unanswered("bad_request");
  assert.equal(driver.phase, "queued");
  driver.pass(POLL_AFTER_MS);
  assert.deepEqual(driver.effects, [poll]);
});

test("a tab that is looked at again asks soon, but not before half of the delay", () => {
  const driver = waiting().pass(1_000).send({ type: "resumed" });
  assert.equal(driver.state.wakeAtMs, 1_000 + POLL_AFTER_MS / 2);
  driver
    .pass(POLL_AFTER_MS)
    .place()
    .pass(POLL_AFTER_MS - 1)
    .send({ type: "resumed" });
  assert.equal(driver.state.wakeAtMs, driver.nowMs, "at once");
});

test("that nobody looks is told, so that the place is kept for longer", () => {
  const driver = waiting()
    .pass(POLL_AFTER_MS / 2)
    .send({ type: "hidden" })
    .pass(0);
  assert.deepEqual(driver.effects, [{ ...poll, hidden: true }]);
  driver
    .place()
    .pass(POLL_AFTER_MS / 2)
    .send({ type: "resumed" })
    .pass(0);
  assert.deepEqual(driver.effects, [poll]);
});

test("a page is told by a stream, which polls replace when it breaks and while nobody looks", () => {
  const driver = waiting({}, { streams: true });
  assert.deepEqual(driver.doing, [], "the join was a question, too");
  driver.pass(POLL_AFTER_MS / 2);
  assert.deepEqual(driver.doing, ["stream"]);
  driver.pass(600_000).place({ position: 2 });
  assert.deepEqual(driver.effects, [], "no timer of our own");
  driver.unanswered("unavailable").pass(POLL_AFTER_MS);
  assert.deepEqual(driver.doing, ["poll"]);
  driver.place();
  assert.deepEqual(driver.doing, [], "no stream for a while");
  driver
    .pass(2 * STREAM_AGAIN_MS)
    .place()
    .pass(POLL_AFTER_MS / 2);
  assert.deepEqual(driver.doing, ["stream"]);
  driver.pass(POLL_AFTER_MS).send({ type: "hidden" });
  assert.deepEqual(driver.doing, ["hush"]);
  driver.pass(0);
  assert.deepEqual(driver.effects, [{ ...poll, hidden: true }]);
  driver
    .place()
    .pass(POLL_AFTER_MS)
    .place()
    .send({ type: "resumed" })
    .pass(POLL_AFTER_MS / 2);
  assert.deepEqual(driver.doing, ["stream"]);
});

test("a server that has no stream to spare for a while is polled meanwhile", () => {
  const driver = waiting({}, { streams: true }).pass(POLL_AFTER_MS / 2);
  driver.unanswered("unavailable", 10 * STREAM_AGAIN_MS);
  assert.ok(driver.state.wakeAtMs <= driver.nowMs + POLL_AFTER_MS);
  driver
    .pass(POLL_AFTER_MS)
    .place()
    .pass(9 * STREAM_AGAIN_MS)
    .place();
  driver.pass(POLL_AFTER_MS);
  assert.deepEqual(driver.effects, [poll], "no stream before its time");
});

test("another network ends the call of the former one", () => {
  const driver = waiting({}, { streams: true }).pass(POLL_AFTER_MS);
  driver.send({ type: "networkChanged" });
  assert.deepEqual(driver.doing, ["hush"]);
  driver.pass(0);
  assert.deepEqual(driver.effects, [{ type: "stream" }]);
});

test("leaving gives the place up", () => {
  const driver = waiting().send({ type: "leave" });
  assert.deepEqual(driver.state.view, { phase: "left", reason: "asked" });
  assert.deepEqual(driver.doing, ["hush", "retire", "giveUpPlace"]);
  assert.equal(driver.state.wakeAtMs, Number.POSITIVE_INFINITY);
});

const event = fc.oneof(
  fc.constantFrom("queued", "place", "called", "seat", "late", "wake", "join" as const),
  fc.constantFrom("resumed", "hidden", "networkChanged", "accept", "decline" as const),
  fc.record({ unanswered: fc.constantFrom(...errorKinds()) }),
  fc.record({ refused: fc.constantFrom(...errorKinds()) }),
);
const history = fc.array(
  fc.record({
    event,
    passMs: fc.nat(30_000),
    dice: fc.double({ min: 0, max: 0.999, noNaN: true }),
  }),
  { minLength: 10, maxLength: 80 },
);

test("in every history: one call at a time, none too soon, and nobody waits for nothing", () => {
  fc.assert(
    fc.property(history, fc.boolean(), (steps, streams) => {
      const driver = waiting({ offers: [OFFER] }, { streams });
      for (const { event: next, passMs, dice } of steps) {
        driver.dice = dice;
        apply(driver, next, streams);
        check(driver);
        const before = driver.state.queue;
        driver.pass(passMs);
        if (before?.activity === "pausing" && /poll|stream/.test(`${driver.doing}`)) {
          assert.ok(driver.nowMs - before.heardAtMs >= before.place.pollAfterMs / 2, "too soon");
        }
        check(driver);
      }
    }),
    { numRuns: 500 },
  );
});

type Next = typeof event extends fc.Arbitrary<infer T> ? T : never;

function apply(driver: Driver, next: Next, streams: boolean): void {
  const { queue, activity } = driver.state;
  if (typeof next === "object") {
    if ("refused" in next) driver.refused(next.refused);
    // Nobody answers what was not asked.
    else if (queue?.activity !== "pausing") driver.unanswered(next.unanswered);
  } else if (next === "queued") driver.queue({}, { streams });
  else if (next === "place" || next === "called") {
    const state = next === "called" ? "called" : "waiting";
    if (queue && queue.activity !== "pausing") driver.place({ state, offers: [OFFER] });
  } else if (next === "seat") driver.seat();
  else if (next === "late")
    driver.send({ type: "seat", serial: -1, regionId: "nowhere", nodeId: "nowhere-1" });
  else if (next === "accept" || next === "decline") {
    driver.send({ type: next, regionId: "tianjin" });
  } else if (next !== "wake" || activity !== "none") driver.send({ type: next });
}

function check({ state }: Driver): void {
  const { activity, queue, wakeAtMs, view } = state;
  const shown = view.phase === "queued" || view.phase === "offered";
  assert.equal(activity === "queued", shown);
  if (activity === "none") assert.equal(queue, undefined);
  if (activity !== "queued" || !queue) return;
  assert.equal(Number.isFinite(wakeAtMs), queue.activity === "pausing", "something is awaited");
  assert.ok(wakeAtMs === Number.POSITIVE_INFINITY || wakeAtMs === queue.wakeAtMs);
}

test("no budget runs while one waits", () => {
  const driver = waiting();
  for (let ms = 0; ms < 10 * JOIN_BUDGET_MS; ms += POLL_AFTER_MS)
    driver.pass(POLL_AFTER_MS).place();
  driver.pass(POLL_AFTER_MS).place({ state: "called" });
  assert.equal(driver.state.giveUpAtMs, driver.nowMs + JOIN_BUDGET_MS);
});
