/**
 * Tickets made by someone who knows everything but the core's private key, and the core's own tickets
 * in hands or places they are not for. All are refused as invalid, spend nothing, and leave the seat to
 * its owner.
 */
import assert from "node:assert/strict";
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { after, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { TICKET_TYP } from "../../shared/protocol/ticket.ts";
import { closeOf, TestNode, type TestSeat } from "./test-node.ts";
import { TEST_KEY_ID, until } from "./test-tickets.ts";
import { TICKET_LENGTH_MAX } from "./ticket.ts";

class CountingRoom extends Room {
  override onJoin(): void {
    joins += 1;
  }
}
let joins = 0;

const node = new TestNode({ games: { counting: CountingRoom } });
before(() => node.start());
after(() => node.stop());

const INVALID = { code: 4401, reason: "ticket_invalid" };
const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
const unsigned = (header: object, claims: object) => {
  return `${encode({ typ: TICKET_TYP, kid: TEST_KEY_ID, ...header })}.${encode(claims)}`;
};

function signedWith(key: KeyObject, digest: string | null, alg: string, claims: object): string {
  const text = unsigned({ alg }, claims);
  return `${text}.${sign(digest, Buffer.from(text), key).toString("base64url")}`;
}

function macWith(key: string | Buffer, claims: object): string {
  const text = unsigned({ alg: "HS256" }, claims);
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}

const publicKey = () => {
  const [jwk] = node.jwks.keys;
  assert.ok(jwk);
  return createPublicKey({ key: { ...jwk }, format: "jwk" });
};
const raw = () => Buffer.from(node.jwks.keys[0]?.x ?? "", "base64url");
const pem = () => publicKey().export({ format: "pem", type: "spki" }).toString();

const stranger = generateKeyPairSync("ed25519");
const ed448 = generateKeyPairSync("ed448").privateKey;
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey;

type Forgery = (seat: TestSeat) => string;
const header = (change: object): Forgery => {
  return ({ claims }) => node.sign(claims, change);
};
const claim = (change: object): Forgery => {
  return ({ claims }) => node.sign({ ...claims, ...change });
};
const part = (change: (parts: string[]) => readonly string[]): Forgery => {
  return ({ ticket }) => change(ticket.split(".")).join(".");
};

const forgeries: Readonly<Record<string, Forgery>> = {
  "alg none, no signature": ({ claims }) => `${unsigned({ alg: "none" }, claims)}.`,
  "alg none, any signature": ({ claims }) => `${unsigned({ alg: "none" }, claims)}.AAAA`,
  "alg EdDSA, no signature": ({ claims }) => `${unsigned({ alg: "EdDSA" }, claims)}.`,
  "a signature of zeros": ({ claims }) => {
    return `${unsigned({ alg: "EdDSA" }, claims)}.${Buffer.alloc(64).toString("base64url")}`;
  },
  "HS256 keyed with the raw public key": ({ claims }) => macWith(raw(), claims),
  "HS256 keyed with the public key's PEM": ({ claims }) => macWith(pem(), claims),
  "signed by another Ed25519 key": ({ claims }) => {
    return signedWith(stranger.privateKey, null, "EdDSA", claims);
  },
  "signed on the other EdDSA curve": ({ claims }) => signedWith(ed448, null, "EdDSA", claims),
  "ES256 under the core's key id": ({ claims }) => signedWith(p256, "sha256", "ES256", claims),
  "RS256 under the core's key id": ({ claims }) => signedWith(rsa, "sha256", "RS256", claims),
  "a key of its own in the header": ({ claims }) => {
    const jwk = stranger.publicKey.export({ format: "jwk" });
    const text = unsigned({ alg: "EdDSA", jwk, jku: "https://evil.example/jwks" }, claims);
    return `${text}.${sign(null, Buffer.from(text), stranger.privateKey).toString("base64url")}`;
  },
  "another name of the algorithm": header({ alg: "Ed25519" }),
  "the algorithm in small letters": header({ alg: "eddsa" }),
  "no algorithm": header({ alg: undefined }),
  "a list of algorithms": header({ alg: ["EdDSA"] }),
  "no type": header({ typ: undefined }),
  "the usual type": header({ typ: "JWT" }),
  "an access token's type": header({ typ: "meridian-access+jwt" }),
  "no key id": header({ kid: undefined }),
  "an unknown key id": header({ kid: "key-2" }),
  "a key id that is a path": header({ kid: `../${TEST_KEY_ID}` }),
  "a key id that every object has": header({ kid: "__proto__" }),
  "a key id that is too long": header({ kid: TEST_KEY_ID.padEnd(65, "x") }),
  "an audience in a list": ({ claims }) => node.sign({ ...claims, aud: [claims.aud] }),
  "no audience": claim({ aud: undefined }),
  "another node's audience": claim({ aud: "testing-2" }),
  "another region's node": claim({ aud: "shanghai-1" }),
  "another issuer": claim({ iss: "someone" }),
  "no expiry": claim({ exp: undefined }),
  "an expiry in words": claim({ exp: "tomorrow" }),
  "an expiry that is no whole number": claim({ exp: 1e10 + 0.5 }),
  "no ticket id": claim({ jti: undefined }),
  "a ticket id that is too long": claim({ jti: "x".repeat(65) }),
  "no player": claim({ sub: undefined }),
  "a player that is none": claim({ sub: "ada" }),
  "no session epoch": claim({ sessionEpoch: undefined }),
  "another room": claim({ roomId: "elsewhere" }),
  "another session": claim({ sessionId: "somebody" }),
  "a reconnection token with a colon": claim({ reconnectionToken: `${"x".repeat(30)}:y` }),
  "claims that are a list": ({ claims }) => node.sign([claims]),
  "claims that are null": () => {
    return node.sign(JSON.parse("null") as object);
  },
  "only a header": part(([head = ""]) => [head]),
  "no signature part": part((parts) => parts.slice(0, 2)),
  "a fourth part": part((parts) => [...parts, "AAAA"]),
  "its parts in another order": part((parts) => parts.toReversed()),
  "padding as in plain base64": ({ ticket }) => `${ticket}==`,
  "a space inside": ({ ticket }) => ticket.replace(".", "%20."),
  "letters that are none": ({ ticket }) => `${ticket}é🐢`,
  "a zero byte": ({ ticket }) => `${ticket}%00`,
  "one byte more than the limit": ({ claims }) => {
    const long = { ...claims, more: "x".repeat(TICKET_LENGTH_MAX) };
    return node.sign(long);
  },
};

for (const [name, forge] of Object.entries(forgeries)) {
  test(`${name}: refused, and the seat is its owner's still`, async () => {
    const seat = await node.seat("counting");
    const before = { joins, consumed: node.consumed.size };
    const forged = node.seatWith(seat.answer, seat.claims, forge(seat));
    assert.deepEqual(await closeOf(forged.url), INVALID);
    assert.deepEqual({ joins, consumed: node.consumed.size }, before);
    assert.equal(node.rooms.find(seat.answer.roomId)?.hasReservedSeat(seat.claims.sessionId), true);
    const room = await node.join(seat);
    await room.leave();
  });
}

test("a ticket cut short or changed anywhere is refused, and is whole still", async (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  const seat = await node.seat("counting");
  const { ticket } = seat;
  const letters = [..."ABCDEFGHabcdefgh01234567-_.~"];
  for (let count = 0; count < cases(200, 5_000); count += 1) {
    const at = chance.below(ticket.length);
    const changed = chance.once(2)
      ? ticket.slice(0, Math.max(1, at))
      : ticket.slice(0, at) + chance.of(letters) + ticket.slice(at + 1);
    if (sameBytes(changed, ticket)) continue;
    const close = await closeOf(node.seatWith(seat.answer, seat.claims, changed).url);
    assert.deepEqual(close, INVALID, changed);
    if (count % 100 === 0) await renewed(seat);
  }
  assert.equal(node.consumed.has(seat.claims.jti), false);
  const room = await node.join(seat);
  await room.leave();
});

/** The last letter of a part has bits that mean nothing. */
function sameBytes(one: string, other: string): boolean {
  const bytes = (ticket: string) => ticket.split(".").map((text) => Buffer.from(text, "base64url"));
  return Buffer.concat(bytes(one)).equals(Buffer.concat(bytes(other)));
}

function renewed(seat: TestSeat): Promise<unknown> {
  const { roomId, sessionId } = seat.claims;
  return node.matchmaker.reserve({ kind: "renew", roomId, sessionId, holdMs: 60_000 });
}

test("of a ticket shown many times at once, one gets in", async () => {
  const seat = await node.seat("counting");
  const before = joins;
  const reasons: string[] = [];
  const sockets = Array.from({ length: 21 }, () => new WebSocket(seat.url));
  for (const socket of sockets) {
    socket.addEventListener("close", ({ reason }) => reasons.push(reason));
  }
  await until(() => reasons.length === 20 && joins === before + 1, "all but one's end");
  assert.deepEqual([...new Set(reasons)], ["ticket_used"]);
  const [inside] = sockets.filter(({ readyState }) => readyState === WebSocket.OPEN);
  inside?.close();
  await until(() => node.connections() === 0, "the last one's end");
  assert.deepEqual(await closeOf(seat.url), { code: 4409, reason: "ticket_used" });
});

test("a player's own ticket opens no other player's seat, nor the way back to it", async () => {
  const [ada, eve] = [await node.seat("counting"), await node.seat("counting")];
  const before = node.consumed.size;
  const withTicketOf = node.seatWith(ada.answer, ada.claims, eve.ticket);
  assert.deepEqual(await closeOf(withTicketOf.url), INVALID);
  const token = ada.claims.reconnectionToken;
  assert.deepEqual(await closeOf(`${eve.url}&reconnectionToken=${token}`), INVALID);
  assert.equal(node.consumed.size, before);
  const rooms = [await node.join(ada), await node.join(eve)];
  for (const room of rooms) await room.leave();
  await until(() => node.connections() === 0, "the leaves");
});
