import assert from "node:assert/strict";
import { test } from "node:test";
import type { Epoch } from "../../shared/epoch.ts";
import { ABSENT, type HandOff, type HandOffEvent, handOffStep } from "./hand-off-step.ts";

const session = (n: number) => ({ sessionEpoch: [1, n] as Epoch, loadId: `load-${n}` });
const entered = (n: number): HandOffEvent => ({
  type: "entered",
  session: session(n),
  giveUpAtMs: 1_000,
});
const granted = (n: number, epoch: Epoch, coreTerm = 1): HandOffEvent => {
  return { type: "granted", loadId: `load-${n}`, stateEpoch: epoch, coreTerm };
};

/** The state after the events, and what the last one has for effects. */
function after(...events: HandOffEvent[]) {
  let state: HandOff = ABSENT;
  let effects: readonly { readonly type: string }[] = [];
  for (const event of events) [state, effects] = handOffStep(state, event, 0);
  return { state, effects, types: effects.map(({ type }) => type) };
}

test("a player comes, plays and leaves", () => {
  assert.deepEqual(after(entered(1)).types, ["load"]);
  assert.deepEqual(after(entered(1), granted(1, [1, 4])).types, ["admit"]);
  const left = after(entered(1), granted(1, [1, 4]), { type: "left", sessionEpoch: [1, 1] });
  assert.deepEqual(left.effects, [{ type: "release", stateEpoch: [1, 4] }]);
  assert.equal(left.state.phase, "absent");
});

test("a newer session at the same node loads anew behind the release; an older one is refused", () => {
  const owned = [entered(2), granted(2, [1, 4])];
  assert.deepEqual(after(...owned, entered(3)).types, ["end", "release", "load"]);
  assert.deepEqual(after(...owned, entered(1)).types, ["refuse"]);
  assert.deepEqual(after(...owned, entered(2)).types, ["admit"]);
});

test("a load is asked for again as the same one, until it is given up", () => {
  const failed = { type: "loadFailed", loadId: "load-1" } as const;
  const [state, effects] = handOffStep(after(entered(1)).state, failed, 100);
  assert.deepEqual(effects, [{ type: "load", session: session(1), afterMs: 250 }]);
  const [absent, refused] = handOffStep(state, failed, 900);
  assert.deepEqual(refused, [{ type: "refuse", session: session(1), kind: "unavailable" }]);
  assert.equal(absent.phase, "absent");
});

test("a grant that nobody waits for is released, however it comes to light", () => {
  const release = [{ type: "release", stateEpoch: [1, 9] }];
  assert.deepEqual(after(granted(1, [1, 9])).effects, release);
  const wanted = { type: "wanted", sessionEpoch: [1, 5], stateEpoch: [1, 9] } as const;
  assert.deepEqual(after(wanted).effects, release);
  const wait = { type: "wait", loadId: "load-2", retryAfterMs: 50, yours: [1, 9] } as const;
  assert.deepEqual(after(entered(2), wait).types, ["release", "load"]);
});

test("what is owned is released only to a newer session", () => {
  const owned = [entered(2), granted(2, [1, 4])];
  const by = (n: number) => {
    return { type: "wanted", sessionEpoch: [1, n], stateEpoch: [1, 4] } as const;
  };
  assert.deepEqual(after(...owned, by(3)).types, ["end", "release"]);
  assert.deepEqual(after(...owned, by(2)).types, []);
  assert.deepEqual(after(entered(2), by(3)).types, ["refuse", "release"]);
});

test("a copy is written anew once for each term, also when the grant is of an older one", () => {
  const rewrite = (coreTerm: number) => ({ type: "rewrite", coreTerm }) as const;
  const owned = [entered(1), granted(1, [1, 4])];
  assert.deepEqual(after(...owned, rewrite(1)).types, []);
  assert.deepEqual(after(...owned, rewrite(2)).types, ["rewrite"]);
  assert.deepEqual(after(...owned, rewrite(2), rewrite(2)).types, []);
  assert.deepEqual(after(entered(1), granted(1, [1, 4], 2)).types, ["admit", "rewrite"]);
});

test("a fence ends whoever is here", () => {
  const fenced = { type: "fenced" } as const;
  assert.deepEqual(after(entered(1), fenced).types, ["refuse"]);
  assert.deepEqual(after(entered(1), granted(1, [1, 4]), fenced).types, ["end", "release"]);
});
