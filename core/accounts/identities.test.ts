/** Studios' own identities: real HTTP to a real issuer of the test's, and every token that must not pass. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { startTestCore } from "../test-core.ts";
import { callsOf } from "./test-calls.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-issuer-"));
const keys = await generateKeyPair("RS256", { extractable: true });
const next = await generateKeyPair("RS256", { extractable: true });
const jwk = async (pair: typeof keys, kid: string) => ({
  ...(await exportJWK(pair.publicKey)),
  kid,
  alg: "RS256",
  use: "sig",
});
const served = [await jwk(keys, "first")];
let fetches = 0;
const issuerServer = createServer((_request, response) => {
  fetches += 1;
  response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: served }));
});
await new Promise<void>((resolve) => {
  issuerServer.listen(0, "127.0.0.1", resolve);
});
const origin = `http://127.0.0.1:${(issuerServer.address() as AddressInfo).port}`;
const ISSUER = "https://id.example.org";
const AUDIENCE = "my-game";
const file = join(dir, "issuers.json");
writeFileSync(
  file,
  JSON.stringify([
    { issuer: ISSUER, audience: AUDIENCE, jwksUrl: `${origin}/jwks.json`, algorithms: ["RS256"] },
  ]),
);
const core = await startTestCore({ TRUSTED_ISSUERS_FILE: file });
after(async () => {
  await core.stop();
  issuerServer.closeAllConnections();
  issuerServer.close();
  rmSync(dir, { recursive: true });
});
const { done, kind, me } = callsOf(core);

interface Wrong {
  readonly issuer?: string;
  readonly audience?: string;
  readonly subject?: string;
  readonly expiresIn?: string;
  readonly kid?: string;
}

function token(wrong: Wrong = {}, signer = keys.privateKey): Promise<string> {
  const { issuer = ISSUER, audience = AUDIENCE, subject = "ada", kid = "first" } = wrong;
  return new SignJWT({ name: "Ada" })
    .setProtectedHeader({ alg: "RS256", kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(wrong.expiresIn ?? "5m")
    .sign(signer);
}

const exchange = async (text: string) => done("/v1/tokens/exchange", { token: text });
const refusal = async (text: string) => kind("/v1/tokens/exchange", { token: text });

test("the account is made at first sight, and is the same one afterwards", async () => {
  const first = await exchange(await token());
  const again = await exchange(await token());
  assert.equal(first.playerId, again.playerId);
  assert.deepEqual(await me(first.accessToken), {
    playerId: first.playerId,
    name: "Ada",
    email: null,
    guest: false,
  });
  const other = await exchange(await token({ subject: "bob" }));
  assert.notEqual(other.playerId, first.playerId);
});

test("of many first log-ins at once one account is made", async () => {
  const text = await token({ subject: "crowd" });
  const pairs = await Promise.all(Array.from({ length: 8 }, () => exchange(text)));
  assert.equal(new Set(pairs.map(({ playerId }) => playerId)).size, 1);
});

test("a token that is wrong in any way is refused", async () => {
  const stranger = await generateKeyPair("RS256");
  const secret = new TextEncoder().encode(JSON.stringify(served[0]));
  const confused = await new SignJWT({})
    .setProtectedHeader({ alg: "HS256", kid: "first" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject("ada")
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(secret);
  const good = await token();
  const [, payload] = good.split(".");
  const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`;
  const wrong = {
    "another issuer": await token({ issuer: "https://evil.example.org" }),
    "another audience": await token({ audience: "other-game" }),
    "a stranger's key": await token({}, stranger.privateKey),
    "an algorithm that is not named": confused,
    "no signature": unsigned,
    "no token": "nonsense",
    "a cut one": good.slice(0, -8),
  };
  for (const [what, text] of Object.entries(wrong)) {
    assert.equal(await refusal(text), "unauthorized", what);
  }
  assert.equal(await refusal(await token({ expiresIn: "-2m" })), "token_expired");
});

test("a network that makes too many accounts is not kept from those that it has", async () => {
  const few = await startTestCore({
    TRUSTED_ISSUERS_FILE: file,
    GUESTS_PER_PREFIX_BURST: "2",
    GUESTS_PER_PREFIX_PER_SECOND: "0.001",
  });
  const calls = callsOf(few);
  const text = await token();
  const first = await calls.done("/v1/tokens/exchange", { token: text });
  await calls.done("/v1/guests", {});
  assert.equal(await calls.kind("/v1/guests", {}), "too_many_requests");
  const again = await calls.done("/v1/tokens/exchange", { token: text });
  assert.equal(again.playerId, first.playerId);
  const other = { token: await token({ subject: "new here" }) };
  assert.equal(await calls.kind("/v1/tokens/exchange", other), "too_many_requests");
  await few.stop();
});

test("a new key of the issuer is found, and inventing key ids does not make a flood", async () => {
  served.push(await jwk(next, "second"));
  const before = fetches;
  const refused = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => refusal(await token({ kid: `invented-${n}` }))),
  );
  assert.ok(refused.every((one) => one === "unauthorized" || one === "too_many_requests"));
  assert.ok(fetches - before <= 2, `${fetches - before} fetches`);
  const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
  assert.doesNotMatch(metrics, /meridian_log_ins_total\{[^}]*outcome="identity_unavailable"/);
});
