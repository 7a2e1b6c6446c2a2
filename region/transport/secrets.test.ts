/** What is written about players never holds what would let the reader play as them. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { after, before, test } from "node:test";
import { type Client, Room } from "@colyseus/core";
import { pino } from "pino";
import { closeOf, TestNode } from "./test-node.ts";
import { until } from "./test-tickets.ts";

const lines: string[] = [];
const sink = new Writable({
  write(chunk: Buffer, _encoding, done) {
    lines.push(chunk.toString());
    done();
  },
});
/** Everything is logged, and nothing is removed by name: what is not given can't leak. */
const log = pino({ level: "trace" }, sink);

/** Fails wherever a game can, and hands its report whatever it was called with. */
class FailingRoom extends Room {
  override onCreate(): void {
    this.onMessage("fail", () => {
      throw new Error("the game's own mistake");
    });
  }
  override onJoin(_client: Client, options: { team?: string }): void {
    if (options.team === "nobody") throw new Error("no such team");
  }
  override onDrop(client: Client): void {
    void this.allowReconnection(client, 5);
  }
  override onReconnect(): void {
    throw new Error("the game's mistake at a return");
  }
  override onLeave(): void {
    throw new Error("the game's mistake at a leave");
  }
}

const node = new TestNode({ games: { failing: FailingRoom }, log });
before(() => node.start());
after(() => node.stop());

test("no log line, metric or answer holds a ticket or a reconnection token", async (t) => {
  const printed: string[] = [];
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream);
    t.mock.method(stream, "write", (text: string | Uint8Array, ...rest: never[]) => {
      printed.push(text.toString());
      return write(text, ...rest);
    });
  }
  const seat = await node.seat("failing");
  const { claims } = seat;
  const room = await node.join(seat);
  room.send("fail");
  await until(() => node.failures.length === 1, "the failure");
  room.reconnection.enabled = false;
  room.connection.close();
  await until(() => node.ledger.get(claims.sessionId)?.state === "dropped", "the drop");
  const returning = `${seat.url}&reconnectionToken=${claims.reconnectionToken}`;
  await closeOf(seat.url);
  await closeOf(returning.replace(claims.roomId, "elsewhere"));
  await closeOf(`${seat.url}&reconnectionToken=${"x".repeat(32)}`);
  await closeOf(returning);
  const answer = await fetch(`http://${seat.url.slice("ws://".length)}`);
  const said = await answer.text();

  for (const failure of node.failures)
    log.error({ err: failure.error, ...failure }, "a room failed");
  const written = [...lines, ...printed, await node.metrics.metrics(), said].join("\n");
  assert.ok(node.failures.length > 1 && lines.length > 2, "something was written");
  for (const secret of [seat.ticket, claims.reconnectionToken, claims.jti]) {
    assert.equal(written.includes(secret), false, written.slice(written.indexOf(secret) - 500));
  }
});
