/**
 * A player whose network changes comes back while the old socket is open still, breaks off while
 * coming back, or comes twice at once. Whatever the order: same session, same entity, nobody thrown out.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { schema } from "@colyseus/schema";
import { loadGames } from "../../node/load-games.ts";
import { GameRoom } from "../../rooms/game-room.ts";
import { closeOf, TestNode, type TestSeat } from "../../transport/test-node.ts";
import { until } from "../../transport/test-tickets.ts";
import type { ArenaState } from "./arena-state.ts";

let letResume: (() => void) | undefined;
let slow = false;

/** Resumes the first player only once the test lets it, where the test wants that. */
class SlowToResume extends GameRoom {
  static override State = schema({}, "SlowState");
  override async onResume(): Promise<void> {
    if (!slow) return;
    slow = false;
    await new Promise<void>((resolve) => {
      letResume = resolve;
    });
  }
}

const games = await loadGames(["arena"]);
const node = new TestNode({ games: { ...Object.fromEntries(games), slow: SlowToResume } });
before(() => node.start());
afterEach(() => {
  slow = false;
  assert.deepEqual(node.failures, []);
});
after(() => node.stop());

async function play(game: string) {
  const seat = await node.seat(game);
  const first = await node.join<ArenaState>(seat);
  first.reconnection.enabled = false;
  const room = node.rooms.find(seat.answer.roomId);
  assert.ok(room instanceof GameRoom);
  await until(() => joined(seat), "the join");
  return { seat, first, room };
}

function clientOf({ answer }: TestSeat) {
  return node.rooms.find(answer.roomId)?.clients.get(answer.sessionId);
}

function joined(seat: TestSeat): boolean {
  return clientOf(seat)?.state === 1;
}

function returningUrl(seat: TestSeat): string {
  return `${seat.url}&reconnectionToken=${seat.claims.reconnectionToken}&skipHandshake=1`;
}

/** A return that acknowledges its join, as a client does. */
function comeBack(seat: TestSeat): WebSocket {
  const socket = new WebSocket(returningUrl(seat));
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", () => socket.send(Uint8Array.of(10)), { once: true });
  return socket;
}

test("a return takes over from a socket that is open still, ten times: the same entity", async () => {
  const { seat, first, room } = await play("arena");
  await until(() => first.state.players?.has(seat.answer.sessionId), "the first state");
  const entity = (room.state as ArenaState).players.get(seat.answer.sessionId);
  const left = new Promise((resolve) => first.onLeave(resolve));
  const sockets: WebSocket[] = [];
  for (let round = 1; round <= 10; round += 1) {
    const former = clientOf(seat);
    sockets.push(comeBack(seat));
    await until(() => clientOf(seat) !== former && joined(seat), `return ${round}`);
  }
  assert.equal(await left, 4408);
  assert.equal((room.state as ArenaState).players.get(seat.answer.sessionId), entity);
  assert.equal(entity?.connected, true);
  assert.equal(room.players.size, 1);
  assert.equal(node.ledger.get(seat.answer.sessionId)?.state, "connected");
  sockets.at(-1)?.close();
  await until(() => room.players.get(seat.claims.sessionId)?.client === undefined, "the drop");
  const back = await node.join(seat, seat.claims.reconnectionToken);
  await back.leave();
});

test("a return that drops while onResume runs may be tried again", async () => {
  const { seat, first, room } = await play("slow");
  const player = room.players.get(seat.claims.sessionId);
  first.connection.close();
  await until(() => player?.client === undefined, "the drop");
  slow = true;
  const broken = new WebSocket(returningUrl(seat));
  await until(() => player?.client !== undefined, "the return");
  broken.close();
  await until(() => node.ledger.get(seat.answer.sessionId)?.state === "dropped", "its end");
  letResume?.();
  await until(() => player?.client === undefined, "the second drop");
  const back = await node.join(seat, seat.claims.reconnectionToken);
  assert.equal(room.players.get(seat.claims.sessionId), player);
  await back.leave();
});

test("two sockets that use one token at once: the later is in, and the player with it", async () => {
  const { seat, first, room } = await play("slow");
  const player = room.players.get(seat.claims.sessionId);
  slow = true;
  first.connection.close();
  await until(() => player?.client === undefined, "the drop");
  const one = closeOf(returningUrl(seat));
  await until(() => player?.client !== undefined, "the first return");
  const two = comeBack(seat);
  assert.deepEqual(await one, { code: 4408, reason: "session_taken_over" });
  letResume?.();
  await until(() => joined(seat), "the second return");
  assert.equal(room.players.get(seat.claims.sessionId), player);
  assert.equal(node.ledger.get(seat.answer.sessionId)?.state, "connected");
  two.close();
  await until(() => player?.client === undefined, "the drop");
});
