import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorKind, MeridianError } from "../errors.ts";
import { FakeClock } from "../fake-clock.ts";
import { JoinAnswer, type JoinOutcome } from "../protocol/join.ts";
import { SeatTaker } from "./seat-taker.ts";

const request = { game: "arena", protocol: 1 };

function seat(ticket: string): JoinAnswer {
  const ids = { roomId: "room-aaaaaaaaaaa", sessionId: "session-aaaaaaaa" };
  return JoinAnswer.parse({
    ticket,
    ticketExpiresInMs: 30_000,
    reservation: { name: "arena", ...ids, processId: "beijing-1", publicAddress: "a:1" },
    regionId: "beijing",
    ranking: [],
  });
}

/** Answers by what is in turn: a ticket, or a failure. */
function takerOf(joins: string[], renewals: string[]): SeatTaker {
  const answer = (turns: string[]) => async () => {
    const turn = turns.shift() ?? "internal";
    if (turn.startsWith("ticket ")) return seat(turn);
    throw new MeridianError(turn as ErrorKind);
  };
  return new SeatTaker({
    join: answer(joins),
    renew: answer(renewals),
    prepare: undefined,
    clock: new FakeClock(),
  });
}

const kindOf = (taking: Promise<JoinOutcome>) =>
  taking.then(
    (outcome) => ("queue" in outcome ? "queued" : outcome.ticket),
    (error: MeridianError) => error.kind,
  );

test("a ticket that another device overtook is the end", async () => {
  const taker = takerOf(["ticket 1", "ticket 2"], ["session_taken_over"]);
  assert.equal(await kindOf(taker.take(request)), "ticket 1");
  assert.equal(await kindOf(taker.take(request)), "session_taken_over");
});

for (const lost of ["timeout", "unavailable"]) {
  test(`${lost}: a ticket that an own call overtook, whose answer was lost, is not the end`, async () => {
    const taker = takerOf(["ticket 1", lost, "ticket 2"], [lost, "session_taken_over"]);
    assert.equal(await kindOf(taker.take(request)), "ticket 1");
    assert.equal(await kindOf(taker.take(request)), lost);
    assert.equal(await kindOf(taker.take(request)), "ticket 2");
  });
}

test("a former doubt is over with the next seat", async () => {
  const taker = takerOf(
    ["ticket 1", "unavailable"],
    ["unavailable", "ticket 2", "session_taken_over"],
  );
  assert.equal(await kindOf(taker.take(request)), "ticket 1");
  assert.equal(await kindOf(taker.take(request)), "unavailable");
  assert.equal(await kindOf(taker.take(request)), "ticket 2");
  assert.equal(await kindOf(taker.take(request)), "session_taken_over");
});
