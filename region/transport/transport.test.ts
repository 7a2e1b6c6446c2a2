/** The stock SDK against our transport, with plain Colyseus rooms. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Protocol, Room } from "@colyseus/core";
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

test("a client that acknowledges its join beforehand is sent the state once, right after the join", async () => {
  const codes: (number | undefined)[] = [];
  const { url } = await node.seat("plain");
  const socket = new WebSocket(`${url}&acknowledged=1`);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => codes.push(new Uint8Array(data)[0]));
  await until(() => codes.length === 2, "the join and the state");
  assert.deepEqual([...codes], [Protocol.JOIN_ROOM, Protocol.ROOM_STATE]);
  // As a stock client's room does; the pong behind it shows that it was read.
  socket.send(Uint8Array.of(Protocol.JOIN_ROOM));
  socket.send(Uint8Array.of(Protocol.PING));
  await until(() => codes.includes(Protocol.PING), "the pong");
  assert.equal(codes.filter((code) => code === Protocol.ROOM_STATE).length, 1);
  socket.close();
});
