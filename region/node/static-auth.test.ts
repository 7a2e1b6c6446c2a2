/** A room class' `static onAuth` decides who gets a seat, as in stock Colyseus. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, Room } from "@colyseus/core";
import { schema } from "@colyseus/schema";
import { MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { GameName } from "../../shared/ids.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { TestNode } from "../transport/test-node.ts";
import { newPlayerId, until } from "../transport/test-tickets.ts";
import type { SeatAuthContext } from "./static-auth.ts";

type StaticAuth = (token: unknown, options: unknown, context: SeatAuthContext) => unknown;
let answer: StaticAuth = () => true;
const joined: unknown[] = [];

class Plain extends Room {
  static override async onAuth(...args: Parameters<typeof Room.onAuth>): Promise<unknown> {
    return answer(args[0], args[1], args[2] as SeatAuthContext);
  }
  override onJoin(client: Client): void {
    joined.push(client.auth);
  }
}
class Game extends GameRoom {
  static override State = schema({}, "AuthState");
  static override onAuth = Plain.onAuth;
}

const clock = new FakeClock();
const node = new TestNode({
  games: { plain: Plain, game: Game },
  clock,
});
before(() => node.start());
after(() => node.stop());

const player = { playerId: newPlayerId(), name: "Ada", sessionEpoch: [1, 1] as const };
const request = { kind: "seat", player, mode: "joinOrCreate", holdMs: 5_000 } as const;

test("it gets the options and the player, and its object is the client's auth", async () => {
  const seen: unknown[] = [];
  answer = (token, options, context) => {
    seen.push(token, options, context.player);
    return { rank: "captain" };
  };
  const options = { team: "red" };
  const seat = await node.matchmaker.reserve({
    ...request,
    game: GameName.parse("plain"),
    options,
  });
  assert.deepEqual(seen, [undefined, options, player]);
  const room = await node.join(node.ticketFor(seat));
  assert.deepEqual(joined, [{ rank: "captain" }]);
  await room.leave();
});

test("a refusal is typed, says what the game said, and costs no seat", async () => {
  const refusals: [StaticAuth, { kind: string; message?: string }][] = [
    [() => false, { kind: "forbidden" }],
    [() => undefined, { kind: "forbidden" }],
    [
      () => Promise.reject(new Error("banned until Monday")),
      { kind: "forbidden", message: "banned until Monday" },
    ],
    [() => Promise.reject(new MeridianError("update_required")), { kind: "update_required" }],
  ];
  for (const [refuse, failure] of refusals) {
    for (const game of ["plain", "game"]) {
      answer = refuse;
      await assert.rejects(node.reserve(game), failure);
    }
  }
  assert.deepEqual(node.ledger.counts(clock.monotonicMs()), { connected: 0, reserved: 0 });
  assert.equal(node.rooms.count, 0);
});

test("one that never answers is not waited for", async () => {
  let asked = false;
  answer = () => {
    asked = true;
    return new Promise(() => {});
  };
  const refused = assert.rejects(node.reserve("plain"), { kind: "timeout" });
  await until(() => asked, "the question");
  clock.advance(1_000);
  await refused;
  assert.deepEqual(node.ledger.counts(clock.monotonicMs()), { connected: 0, reserved: 0 });
});

test("a GameRoom's player is who the core says, whatever the class answers", async () => {
  answer = () => ({ playerId: "somebody else" });
  const seat = await node.seat("game");
  const room = await node.join(seat);
  const game = node.rooms.find(seat.answer.roomId);
  assert.ok(game instanceof Game);
  assert.equal(game.players.get(seat.answer.sessionId)?.id, node.playerOf(seat.answer.sessionId));
  await room.leave();
});
