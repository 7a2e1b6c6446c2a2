/** The stock SDK against our transport, with plain Colyseus rooms. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { TestNode } from "./test-node.ts";
import { until } from "./test-tickets.ts";

const State = schema({ names: t.map("string") });

class PlainRoom extends Room {
  override state = new State();

  override onCreate(): void {
    this.onMessage("say", (client, text: string) => {
      this.state.names.set(client.sessionId, text);
      this.broadcast("said", { by: client.sessionId, text });
    });
  }

  override onJoin(client: { sessionId: string; auth?: { name: string } }): void {
    this.state.names.set(client.sessionId, client.auth?.name ?? "nobody");
  }
}

const node = new TestNode({ games: { plain: PlainRoom } });
before(() => node.start());
after(() => node.stop());

test("two stock clients see each other's state in a plain room", async () => {
  const one = await node.join<InstanceType<typeof State>>(await node.seat("plain"));
  const two = await node.join<InstanceType<typeof State>>(await node.seat("plain"));
  const heard: unknown[] = [];
  two.onMessage("said", (message) => heard.push(message));
  one.onMessage("said", () => undefined);
  one.send("say", "hello");
  await until(() => two.state.names?.get(one.sessionId) === "hello", "the patch");
  assert.deepEqual(heard, [{ by: one.sessionId, text: "hello" }]);
  assert.equal(one.state.names.get(two.sessionId), "Ada");
  assert.deepEqual(node.ledger.counts(0), { connected: 2, reserved: 0 });
  await one.leave();
  await until(() => two.state.names !== undefined && node.ledger.counts(0).connected === 1);
  await two.leave();
});
