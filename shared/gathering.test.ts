import assert from "node:assert/strict";
import { test } from "node:test";
import { MeridianError } from "./errors.ts";
import { FakeClock } from "./fake-clock.ts";
import { Gathering } from "./gathering.ts";

function gathering() {
  const clock = new FakeClock();
  const calls: string[][] = [];
  const answer = (question: string) =>
    question.startsWith("bad") ? new Error(question) : question.toUpperCase();
  const gathered = new Gathering<string, string>({
    gatherMs: 5,
    mostItems: 3,
    async alone(question) {
      calls.push([question]);
      const answered = answer(question);
      if (answered instanceof Error) throw answered;
      return answered;
    },
    async together(questions) {
      calls.push([...questions]);
      if (questions.includes("old")) throw new MeridianError("not_found");
      if (questions.includes("down")) throw new Error("nobody answers");
      return questions.slice(0, 2).map(answer);
    },
    clock,
  });
  return { clock, calls, gathered };
}

test("questions of one moment are one call, and each hears its own answer", async () => {
  const { clock, calls, gathered } = gathering();
  const first = gathered.ask("a");
  clock.advance(4);
  const second = gathered.ask("bad");
  assert.deepEqual(calls, []);
  clock.advance(1);
  assert.equal(await first, "A");
  await assert.rejects(second, /bad/);
  assert.deepEqual(calls, [["a", "bad"]]);
});

test("one that stays alone goes its own way; what comes later is another call", async () => {
  const { clock, calls, gathered } = gathering();
  const first = gathered.ask("a");
  clock.advance(5);
  const second = gathered.ask("bad");
  clock.advance(5);
  assert.equal(await first, "A");
  await assert.rejects(second, /bad/);
  assert.deepEqual(calls, [["a"], ["bad"]]);
});

test("as many as one call takes don't wait; a call that fails, or leaves one out, fails for them", async () => {
  const { calls, gathered } = gathering();
  const settled = await Promise.allSettled(["a", "b", "c"].map((one) => gathered.ask(one)));
  assert.deepEqual(
    settled.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected"],
  );
  const old = await Promise.all(["a", "old", "b"].map((one) => gathered.ask(one)));
  assert.deepEqual(old, ["A", "OLD", "B"], "a peer without such a call");
  calls.length = 0;
  const down = ["a", "down", "b"].map((one) => assert.rejects(gathered.ask(one), /nobody/));
  await Promise.all(down);
  assert.equal(calls.length, 1);
});
