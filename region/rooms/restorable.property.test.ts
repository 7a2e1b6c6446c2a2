/**
 * The promise of this folder, for any schema and any history: what a standby made of a room's frames,
 * restored in another process, equals the room; and from then on its full states and patches mean the
 * same to a fresh client and to one that kept its decoder from the lost room, whether that one had
 * seen less than the standby or more.
 *
 * SEED=<number> replays a run, RUNS=<number> sets how many cases are tried.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { ChildAnswer, ChildRequest } from "./restorable.child.ts";
import {
  type Classes,
  type ClassSpec,
  dump,
  type FieldSpec,
  type Mutation,
  makeClasses,
  mutate,
  PLAIN_TYPES,
} from "./restorable.testkit.ts";
import { RoomHost, StockClient } from "./room-host.testkit.ts";
import { RoomReplica } from "./room-replica.ts";
import { checkRestorable } from "./snapshot-check.ts";
import { type StateClass, schemaHash } from "./snapshot-schema.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const runs = Number(process.env.RUNS ?? 120);

interface Case {
  readonly classes: readonly ClassSpec[];
  readonly ticks: readonly (readonly Mutation[])[];
  /** The old client joins before this tick. */
  readonly joinAt: number;
  /** Ticks at the end whose frames never reach the standby. */
  readonly lostFrames: number;
  /** Ticks at the end whose patches never reach the old client. */
  readonly lostPatches: number;
  readonly later: readonly (readonly Mutation[])[];
  readonly returnAt: number;
}

const fieldSpec: fc.Arbitrary<FieldSpec> = fc.record({
  kind: fc.constantFrom("slot", "slot", "array", "map", "set", "collection"),
  item: fc.oneof(fc.constantFrom(...PLAIN_TYPES), fc.nat(9)),
  optional: fc.boolean(),
  filled: fc.boolean(),
});
const classSpec: fc.Arbitrary<ClassSpec> = fc.record({
  parent: fc.option(fc.nat(9), { nil: undefined, freq: 2 }),
  fields: fc.array(fieldSpec, { minLength: 1, maxLength: 6 }),
});
const mutation: fc.Arbitrary<Mutation> = fc.tuple(
  fc.nat(60),
  fc.nat(30),
  fc.nat(500),
  fc.nat(5000),
);
const ticks = (maxLength: number) => {
  return fc.array(fc.array(mutation, { maxLength: 8 }), { minLength: 1, maxLength });
};
const aCase: fc.Arbitrary<Case> = fc.record({
  classes: fc.array(classSpec, { minLength: 2, maxLength: 5 }),
  ticks: ticks(14),
  joinAt: fc.nat(3),
  lostFrames: fc.nat(3),
  lostPatches: fc.nat(3),
  later: ticks(6),
  returnAt: fc.nat(3),
});

let child: ChildProcess;

before(() => {
  child = fork(new URL("./restorable.child.ts", import.meta.url), { serialization: "advanced" });
});
after(async () => {
  const gone = once(child, "exit");
  child.disconnect();
  await gone;
});

test(`a restored room equals the lost one (SEED=${seed} RUNS=${runs})`, async () => {
  let cutShort = 0;
  const property = fc.asyncProperty(aCase, async (one) => {
    if (!(await survives(one))) cutShort += 1;
  });
  await fc.assert(property, { seed, numRuns: runs, includeErrorInReport: true });
  console.log(`${cutShort} of ${runs} cases cut short by mistakes of Colyseus' own`);
  assert.ok(cutShort < runs / 5, "too few cases were compared to the end");
});

/** @returns whether Colyseus itself made no mistake in that case */
async function survives(one: Case): Promise<boolean> {
  const classes = makeClasses(one.classes);
  const root = classes.all[0] as StateClass;
  checkRestorable(root);
  const replica = new RoomReplica(schemaHash(root));
  const toStandby = Math.max(1, one.ticks.length - one.lostFrames);
  let atLastFrame: unknown;
  const heard: string[] = [];
  const lost = listening(heard, () =>
    play(one, classes, one.ticks, (host, frame, tick) => {
      if (tick >= toStandby) return;
      replica.push(frame);
      atLastFrame = dump(host.state, "server");
    }),
  );
  const neverLost = listening(heard, () =>
    play(one, classes, one.ticks.slice(0, toStandby), () => {}),
  );
  const soundTicks = heard.length > 0 ? 0 : livesOn(one, classes, neverLost);
  await comesBack(one, replica.snapshot(), atLastFrame, lost.oldClient, soundTicks);
  return soundTicks === one.later.length;
}

interface Played {
  readonly host: RoomHost;
  readonly oldClient: StockClient;
}

/** A room's life up to now, with a client that joined on the way and missed the last patches. */
function play(
  one: Case,
  classes: Classes,
  ticks: Case["ticks"],
  onFrame: (host: RoomHost, frame: Uint8Array, tick: number) => void,
): Played {
  const host = new RoomHost(classes.all[0] as StateClass);
  const oldClient = new StockClient(host.handshake());
  const heardTicks = one.ticks.length - one.lostPatches;
  const joinAt = Math.min(one.joinAt, ticks.length - 1);
  for (const [tick, mutations] of ticks.entries()) {
    if (tick === joinAt) {
      host.join((bytes, full) => {
        if (full || host.ticks < heardTicks) oldClient.receive(bytes, full);
      }, false);
    }
    for (const mutation of mutations) mutate(host.state, classes, mutation);
    onFrame(host, host.patch(), tick);
  }
  host.disconnectAll();
  return { host, oldClient };
}

/**
 * Colyseus makes mistakes of its own, with rooms that never fail: those are not ours to compare.
 * @returns in how many of the later ticks its clients had the state right
 */
function livesOn(one: Case, classes: Classes, { host, oldClient }: Played): number {
  const fresh = new StockClient(host.handshake());
  const joinAt = Math.min(one.returnAt, one.later.length - 1);
  for (const [tick, mutations] of one.later.entries()) {
    if (tick === joinAt) {
      host.join((...message) => oldClient.receive(...message), true);
      host.join((...message) => fresh.receive(...message), false);
    }
    for (const mutation of mutations) mutate(host.state, classes, mutation);
    const complaints: string[] = [];
    listening(complaints, () => host.patch());
    if (complaints.length > 0) return tick;
    if (tick < joinAt) continue;
    const server = dump(host.state, "client");
    if (!isDeepStrictEqual(dump(fresh.state, "client"), server)) return tick;
    if (!isDeepStrictEqual(dump(oldClient.state, "client"), server)) return tick;
  }
  return one.later.length;
}

async function comesBack(
  one: Case,
  snapshot: Uint8Array,
  expected: unknown,
  oldClient: StockClient,
  soundTicks: number,
): Promise<void> {
  const joinAt = Math.min(one.returnAt, one.later.length - 1);
  const answer = await ask({ classes: one.classes, snapshot, ticks: one.later, joinAt });
  assert.deepEqual(answer.restored, expected, "the restored state");
  const fresh = new StockClient(answer.handshake ?? new Uint8Array());
  for (const [tick, sent] of (answer.ticks ?? []).entries()) {
    if (tick >= soundTicks) return;
    const complaints: string[] = [];
    listening(complaints, () => {
      for (const [bytes, full] of sent.returning) oldClient.receive(bytes, full);
      for (const [bytes, full] of sent.fresh) fresh.receive(bytes, full);
    });
    assert.deepEqual(complaints, []);
    if (tick < joinAt) continue;
    assert.deepEqual(dump(fresh.state, "client"), sent.client, `a fresh client at tick ${tick}`);
    assert.deepEqual(dump(oldClient.state, "client"), sent.client, `an old client at ${tick}`);
  }
}

let requests = 0;
async function ask(request: Omit<ChildRequest, "id">): Promise<ChildAnswer> {
  const id = ++requests;
  child.send({ ...request, id });
  const [answer] = (await once(child, "message")) as [ChildAnswer];
  assert.equal(answer.id, id);
  assert.equal(answer.error, undefined);
  return answer;
}

/** Colyseus prints what a decoder could not make sense of, and goes on. */
function listening<T>(complaints: string[], run: () => T): T {
  const { warn, error } = console;
  const complain = (...args: unknown[]) => {
    complaints.push(args.map(String).join(" "));
  };
  Object.assign(console, { warn: complain, error: complain });
  try {
    return run();
  } finally {
    Object.assign(console, { warn, error });
  }
}
