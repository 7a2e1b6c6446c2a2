import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, SignJWT, UnsecuredJWT } from "jose";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { GameName, NodeId, PlayerId, RegionId, RoomId, SessionId } from "../../shared/ids.ts";
import { ReconnectionToken } from "../../shared/protocol/join.ts";
import { ACCESS_TYP, TICKET_TYP, TicketClaims } from "../../shared/protocol/ticket.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { ACCEPT_MS, acceptedKeys, PUBLISH_MS, signingKey } from "./key-schedule.ts";
import { Keyring } from "./keyring.ts";
import { Vault } from "./master-key.ts";
import { ReconnectionTokens } from "./reconnection-token.ts";
import { type Seat, SignedTokens } from "./signed-tokens.ts";

const master = randomBytes(32);
const created = await startTestDatabase();
after(() => created.drop());

const clock = new FakeClock();
const keyring = keyringUnder(master);
await keyring.start();
const tokens = new SignedTokens({
  keyring,
  clock,
  random: randomBytes,
  accessTtlMs: 600_000,
  ticketTtlMs: 30_000,
});
const playerId = PlayerId.parse("0190a5f2-7c11-7000-8000-0123456789ab");
const reconnection = new ReconnectionTokens(master);
const seat: Seat = {
  aud: NodeId.parse("beijing-3"),
  sub: playerId,
  name: "Ada",
  sessionEpoch: [1, 7],
  regionId: RegionId.parse("beijing"),
  game: GameName.parse("arena"),
  roomId: RoomId.parse("r1"),
  sessionId: SessionId.parse("s1"),
  reconnectionToken: "x".repeat(40),
};

function keyringUnder(key: Buffer): Keyring {
  const vault = new Vault(key, randomBytes);
  return new Keyring({ database: created.database, vault, clock, random: randomBytes });
}

test("an access token names its player, until it expires", async () => {
  const token = await tokens.signAccess(playerId);
  assert.equal(decodeProtectedHeader(token).typ, ACCESS_TYP);
  assert.equal(await tokens.verifyAccess(token), playerId);
  clock.advance(600_000);
  await assert.rejects(tokens.verifyAccess(token), (e) => isFailure(e, "token_expired"));
});

test("a ticket is verified offline, from the JWKS alone", async () => {
  const ticket = await tokens.signTicket(seat);
  const { payload, protectedHeader } = await jwtVerify(ticket, createLocalJWKSet(keyring.jwks()), {
    audience: "beijing-3",
    typ: TICKET_TYP,
    algorithms: ["EdDSA"],
    currentDate: new Date(clock.nowMs()),
  });
  const claims = TicketClaims.parse(payload);
  assert.equal(protectedHeader.kid, keyring.keyIds()[0]);
  assert.equal(claims.exp - claims.iat, 30);
  assert.deepEqual(claims, { ...claims, ...seat });
});

test("neither kind of token passes for the other, nor unsigned or strange ones for either", async () => {
  const unauthorized = (e: unknown) => isFailure(e, "unauthorized");
  const invalid = (e: unknown) => isFailure(e, "ticket_invalid");
  await assert.rejects(tokens.verifyAccess(await tokens.signTicket(seat)), unauthorized);
  await assert.rejects(tokens.verifyTicket(await tokens.signAccess(playerId), 0), invalid);
  const unsigned = new UnsecuredJWT({ sub: playerId }).setIssuedAt().setExpirationTime("1h");
  await assert.rejects(tokens.verifyAccess(unsigned.encode()), unauthorized);
  const stranger = await new SignJWT({ sub: playerId })
    .setProtectedHeader({ alg: "HS256", typ: ACCESS_TYP, kid: keyring.keyIds()[0] ?? "" })
    .sign(randomBytes(32));
  await assert.rejects(tokens.verifyAccess(stranger), unauthorized);
  await assert.rejects(tokens.verifyAccess(""), unauthorized);
});

test("a ticket can be shown for renewal a little after its expiry, and no longer", async () => {
  const ticket = await tokens.signTicket(seat);
  clock.advance(32_000);
  assert.equal((await tokens.verifyTicket(ticket, 5_000)).sub, playerId);
  clock.advance(5_000);
  await assert.rejects(tokens.verifyTicket(ticket, 5_000), (e) => isFailure(e, "ticket_expired"));
});

test("a rotated key is published at once, signs later, and its predecessor retires", async () => {
  const old = keyring.signer().kid;
  const signedByOld = await tokens.signAccess(playerId);
  clock.advance(1);
  const fresh = await keyring.rotate();
  assert.deepEqual(keyring.keyIds(), [fresh, old]);
  assert.equal(keyring.signer().kid, old, "regions may not know the new key yet");
  clock.advance(PUBLISH_MS);
  assert.equal(keyring.signer().kid, fresh);
  assert.equal(await tokens.verifyAccess(signedByOld), playerId);
  clock.advance(ACCEPT_MS);
  assert.deepEqual(keyring.keyIds(), [fresh]);
});

test("a token that is known already passes no longer than one that is not", async () => {
  const accessTtlMs = 2 * ACCEPT_MS;
  const deps = { keyring, clock, random: randomBytes, ticketTtlMs: 30_000 };
  const [signer, other] = [
    new SignedTokens({ ...deps, accessTtlMs }),
    new SignedTokens({ ...deps, accessTtlMs }),
  ];
  const token = await signer.signAccess(playerId);
  const short = await tokens.signAccess(playerId);
  for (const one of [signer, other, other]) {
    assert.equal(await one.verifyAccess(token), playerId);
    assert.equal(await one.verifyAccess(short), playerId);
    const changed = token.slice(0, -2) + (token.endsWith("AA") ? "BB" : "AA");
    await assert.rejects(one.verifyAccess(changed), (e) => isFailure(e, "unauthorized"));
  }
  clock.advance(600_000);
  await assert.rejects(other.verifyAccess(short), (e) => isFailure(e, "token_expired"));
  await keyring.rotate();
  clock.advance(PUBLISH_MS + ACCEPT_MS);
  // Its own time is not up yet, but the key's is.
  for (const one of [signer, other]) {
    await assert.rejects(one.verifyAccess(token), (e) => isFailure(e, "unauthorized"));
  }
});

test("keys survive a restart, and another master key is refused in words", async () => {
  const again = keyringUnder(master);
  await again.start();
  assert.deepEqual(again.jwks(), keyring.jwks());
  await assert.rejects(keyringUnder(randomBytes(32)).start(), /MASTER_KEY does not open/);
});

test("signing keys are not readable in the database", async () => {
  const rows = await created.database.rows<{ sealed: Buffer; public_jwk: object }>(
    "select private_sealed as sealed, public_jwk from signing_keys",
  );
  for (const row of rows) {
    assert.ok(!row.sealed.toString("latin1").includes('"d"'));
    assert.ok(!("d" in row.public_jwk));
  }
});

test("the schedule has a signer whenever there is a key", () => {
  const keys = [{ createdMs: 100 }, { createdMs: 50 }];
  assert.equal(signingKey(keys, 0)?.createdMs, 50);
  assert.equal(signingKey(keys, 100 + PUBLISH_MS)?.createdMs, 100);
  assert.equal(acceptedKeys(keys, 100).length, 2);
  assert.equal(signingKey([], 0), undefined);
});

test("a reconnection token gives back its claim, fits its bounds, and can't be changed", () => {
  const claim = {
    playerId,
    roomId: RoomId.parse("r".repeat(64)),
    sessionId: SessionId.parse("s".repeat(64)),
    sessionEpoch: [3, 2 ** 40] as const,
  };
  const token = reconnection.mint(claim);
  assert.deepEqual(reconnection.verify(token), claim);
  assert.ok(ReconnectionToken.safeParse(token).success, `${token.length} characters`);
  const bytes = Buffer.from(token, "base64url");
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] ?? 0) ^ 1;
    assert.equal(reconnection.verify(changed.toString("base64url")), undefined);
  }
  for (const length of [0, 1, 16, 30, 44]) {
    assert.equal(reconnection.verify(randomBytes(length).toString("base64url")), undefined);
  }
  assert.equal(new ReconnectionTokens(randomBytes(32)).verify(token), undefined);
});
