/** Game code whose failure nobody awaits: it is reported, its room plays on, and so does the process. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { z } from "zod";
import { GameRoom } from "../rooms/game-room.ts";
import { TestNode } from "../transport/test-node.ts";
import { until } from "../transport/test-tickets.ts";

const State = schema({ beats: t.number().default(0) }, "BeatingState");
type State = InstanceType<typeof State>;

let failing: string | undefined;
/** Rejects after the caller has gone on, when the test is about that hook. */
async function fail(hook: string): Promise<void> {
  if (failing !== hook) return;
  failing = undefined;
  await Promise.resolve();
  throw new Error(`${hook} failed`);
}

class Game extends GameRoom<State> {
  static override State = State;
  override readonly timers = { beat: () => fail("timers.beat") };
  override onSetup(): void {
    this.scheduleEvery("beat", 100);
  }
  override onTick(): Promise<void> {
    this.state.beats += 1;
    return fail("onTick");
  }
}

class Plain extends Room<{ state: State }> {
  override state = new State();
  override onCreate(): void {
    this.clock.setInterval(() => {
      this.state.beats += 1;
    }, 20);
    const unchecked = z.any().refine(() => {
      throw new Error("the check's own mistake");
    });
    this.onMessage("checked", unchecked, () => undefined);
    this.onMessage("named", z.string(), (client, name) => client.send("hello", name));
  }
  override onBeforePatch(): Promise<void> {
    return fail("onBeforePatch");
  }
}

const node = new TestNode({
  games: { game: Game, plain: Plain },
});
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown) => unhandled.push(error);
before(() => {
  process.on("unhandledRejection", onUnhandled);
  return node.start();
});
afterEach(() => {
  node.failures.length = 0;
  assert.deepEqual(unhandled, []);
});
after(async () => {
  process.off("unhandledRejection", onUnhandled);
  await node.stop();
});

for (const [game, hook] of [
  ["game", "onTick"],
  ["game", "timers.beat"],
  ["plain", "onBeforePatch"],
] as const) {
  test(`${hook}: a promise that rejects is reported, and the room plays on`, async () => {
    const room = await node.join<State>(await node.seat(game));
    failing = hook;
    await until(() => node.failures.length > 0, "the report");
    assert.deepEqual(
      node.failures.map(({ method }) => method),
      [hook],
    );
    await until(() => room.state?.beats !== undefined, "the first state");
    const beats = room.state.beats;
    await until(() => room.state.beats > beats + 2, "more patches");
    await room.leave();
  });
}

test("a message schema whose check throws ends its sender's connection and nothing else", async () => {
  const seat = await node.seat("plain");
  const [room, other] = [await node.join(seat), await node.join(await node.seat("plain"))];
  const left = new Promise((resolve) => room.onLeave(resolve));
  room.send("checked", 1);
  assert.equal(await left, 4002);
  assert.deepEqual(
    node.failures.map(({ method }) => method),
    ["onMessage"],
  );
  const hello = new Promise((resolve) => other.onMessage("hello", resolve));
  other.send("named", "Ada");
  assert.equal(await hello, "Ada");
  await other.leave();
});
