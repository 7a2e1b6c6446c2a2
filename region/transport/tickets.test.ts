/** Who gets past the border, with real signatures over a real socket, and what the others are told. */
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { NodeId, RoomId, SessionId } from "../../shared/ids.ts";
import { ACCESS_TYP, type TicketClaims } from "../../shared/protocol/ticket.ts";
import { closeOf, TestNode, type TestSeat } from "./test-node.ts";
import { signTicket } from "./test-tickets.ts";

let joins = 0;
class CountingRoom extends Room {
  override onJoin(): void {
    joins += 1;
  }
}

const node = new TestNode({ games: { counting: CountingRoom } });
before(() => node.start());
after(() => node.stop());

const stranger = generateKeyPairSync("ed25519").privateKey;

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

function reSigned(seat: TestSeat, header: object): TestSeat {
  return node.seatWith(seat.answer, seat.claims, node.sign(seat.claims, header));
}

function withTicket(seat: TestSeat, ticket: string): TestSeat {
  return node.seatWith(seat.answer, seat.claims, ticket);
}

function altered(seat: TestSeat, change: Partial<TicketClaims>): TestSeat {
  const [header, , signature] = seat.ticket.split(".");
  return withTicket(seat, `${header}.${encode({ ...seat.claims, ...change })}.${signature}`);
}

const now = () => Math.floor(Date.now() / 1000);
const invalid = { code: 4401, reason: "ticket_invalid" };

const refused: readonly {
  readonly name: string;
  readonly make: (seat: TestSeat) => TestSeat;
  readonly close?: { code: number; reason: string };
}[] = [
  {
    name: "signed by a stranger",
    make: (seat) => withTicket(seat, signTicket(stranger, seat.claims)),
  },
  { name: "with a claim changed after signing", make: (seat) => altered(seat, { name: "Eve" }) },
  {
    name: "without a signature, alg none",
    make: (seat) =>
      withTicket(
        seat,
        `${encode({ alg: "none", typ: "x", kid: "key-1" })}.${encode(seat.claims)}.`,
      ),
  },
  {
    name: "alg none with the core's signature",
    make: (seat) => reSigned(seat, { alg: "none" }),
  },
  {
    name: "alg HS256, keyed with the public key",
    make: (seat) => {
      const signed = `${encode({ alg: "HS256", typ: "meridian-ticket+jwt", kid: "key-1" })}.${encode(seat.claims)}`;
      const key = JSON.stringify(node.jwks.keys[0]);
      return withTicket(
        seat,
        `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`,
      );
    },
  },
  { name: "an access token", make: (seat) => reSigned(seat, { typ: ACCESS_TYP }) },
  { name: "an unknown key", make: (seat) => reSigned(seat, { kid: "key-2" }) },
  {
    name: "for another node",
    make: (seat) => node.ticketFor(seat.answer, { aud: NodeId.parse("testing-2") }),
  },
  {
    name: "of another issuer",
    make: (seat) => node.ticketFor(seat.answer, { iss: "someone" as TicketClaims["iss"] }),
  },
  {
    name: "for another room",
    make: (seat) => node.ticketFor(seat.answer, { roomId: RoomId.parse("elsewhere") }),
  },
  {
    name: "for another session",
    make: (seat) => node.ticketFor(seat.answer, { sessionId: SessionId.parse("somebody") }),
  },
  { name: "too long", make: (seat) => withTicket(seat, `${seat.ticket}${"A".repeat(1_500)}`) },
  { name: "not a token at all", make: (seat) => withTicket(seat, "ticket") },
  {
    name: "expired",
    make: (seat) => node.ticketFor(seat.answer, { exp: now() - 1 }),
    close: { code: 4410, reason: "ticket_expired" },
  },
];

for (const { name, make, close = invalid } of refused) {
  test(`a ticket ${name} is refused before any room hears of it`, async () => {
    const seat = make(await node.seat("counting"));
    const before = joins;
    assert.deepEqual(await closeOf(seat.url), close);
    assert.equal(joins, before);
    await node.matchmaker.release(seat.reservation);
  });
}

test("a stock client learns the kind of the refusal", async () => {
  const seat = await node.seat("counting", { exp: now() - 1 });
  await assert.rejects(node.join(seat), { code: 4410, message: "ticket_expired" });
});

test("a ticket works once", async () => {
  const seat = await node.seat("counting");
  const room = await node.join(seat);
  assert.deepEqual(await closeOf(seat.url), { code: 4409, reason: "ticket_used" });
  await room.leave();
});

test("a ticket whose seat has lapsed is told so", async () => {
  const answer = await node.reserve("counting", "joinOrCreate", 1);
  await new Promise<void>((resolve) => {
    const poll = setInterval(() => {
      if (node.rooms.find(answer.roomId)?.hasReservedSeat(answer.sessionId)) return;
      clearInterval(poll);
      resolve();
    }, 1);
  });
  const close = await closeOf(node.ticketFor(answer).url);
  assert.deepEqual(close, { code: 4410, reason: "ticket_expired" });
});

test("a ticket for a room that ended is told so", async () => {
  const answer = await node.reserve("counting");
  const seat = node.ticketFor({ ...answer, roomId: RoomId.parse("gone") });
  assert.deepEqual(await closeOf(seat.url), { code: 4404, reason: "room_not_found" });
});
