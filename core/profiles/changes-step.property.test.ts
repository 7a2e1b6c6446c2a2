/**
 * Every change is told once, by the first read after its commit, whatever transactions do meanwhile.
 *
 * TEST_SEED=<number> replays a run, RUNS=<number> sets how many cases are tried.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import {
  type ChangesRead,
  type ChangesState,
  changesStep,
  type PlayerChange,
} from "./changes-step.ts";

const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const numRuns = Number(process.env.RUNS ?? 500);

/** Transactions as PostgreSQL sees them: numbered as they begin, visible as they commit. */
class Transactions {
  readonly committed: PlayerChange[] = [];
  readonly #open: PlayerChange[][] = [];
  #xid = 100;
  #players = 0;

  begin(changes: number): void {
    const xid = String(this.#xid++);
    const made = Array.from({ length: changes }, () => {
      const playerId = PlayerId.parse(uuidV7(this.#players++, new Uint8Array(10)));
      return { xid, playerId, made: false, name: "Ada" };
    });
    this.#open.push([
      { xid, playerId: PlayerId.parse(uuidV7(0, new Uint8Array(10))), made: false, name: null },
      ...made,
    ]);
  }

  end(which: number, commit: boolean): void {
    const [ended = []] = this.#open.splice(which % Math.max(1, this.#open.length), 1);
    if (commit) this.committed.push(...ended);
  }

  read(since: string | undefined, coreTerm: number): ChangesRead {
    const open = this.#open.map(([first]) => Number(first?.xid));
    const horizon = String(Math.min(this.#xid, ...open));
    const from = since === undefined ? Number.POSITIVE_INFINITY : Number(since);
    const changes = this.committed.filter(({ xid }) => Number(xid) >= from);
    return { coreTerm, horizon, changes, cut: false };
  }
}

const act = fc.oneof(
  fc.record({ type: fc.constant("begin" as const), changes: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ type: fc.constant("end" as const), which: fc.nat(20), commit: fc.boolean() }),
  fc.record({ type: fc.constant("read" as const) }),
);

test(`each change is told once, by the first read after its commit (TEST_SEED=${seed})`, () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const transactions = new Transactions();
      let [state] = changesStep(undefined, transactions.read(undefined, 1));
      const told: PlayerChange[] = [];
      for (const one of [...acts, { type: "read" as const }]) {
        if (one.type === "begin") transactions.begin(one.changes);
        else if (one.type === "end") transactions.end(one.which, one.commit);
        else {
          const [next, effect] = changesStep(state, transactions.read(state.horizon, 1));
          state = next;
          assert.ok(effect.type === "changed");
          told.push(...effect.changes);
          assert.deepEqual(new Set(told), new Set(transactions.committed));
          assert.equal(told.length, transactions.committed.length, "none twice");
        }
      }
    }),
    { seed, numRuns },
  );
});

test("what can't be followed says so: the first read, a new term, numbers that went back, a cut", () => {
  const read: ChangesRead = { coreTerm: 1, horizon: "200", changes: [], cut: false };
  const after = (change: Partial<ChangesRead>, state?: ChangesState) =>
    changesStep(state, { ...read, ...change })[1].type;
  const [state] = changesStep(undefined, read);
  assert.equal(after({}), "missed");
  assert.equal(after({}, state), "changed");
  assert.equal(after({ coreTerm: 2 }, state), "missed");
  assert.equal(after({ horizon: "199" }, state), "missed");
  assert.equal(after({ cut: true }, state), "missed");
});
