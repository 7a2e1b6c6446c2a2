import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { TOKEN_ALG, TOKEN_ISSUER } from "../../shared/protocol/ticket.ts";
import { readJws, signJws } from "./jws.ts";

const typ = "kind+jwt";
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const claims = { sub: "ada", iat: 100, exp: 200 };
const ask = {
  typ,
  nowS: 150,
  keyOf: (kid: string) => (kid === "k1" ? publicKey : undefined),
};

/** Signed with our key, whatever it says. */
function token(header: object, payload: object): string {
  const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encoded(header)}.${encoded(payload)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
}

test("what was signed is read, until it expires", () => {
  const signed = signJws(typ, claims, { kid: "k1", key: privateKey });
  assert.deepEqual(readJws(signed, ask), {
    valid: true,
    kid: "k1",
    claims: { ...claims, iss: TOKEN_ISSUER },
  });
  assert.deepEqual(readJws(signed, { ...ask, nowS: 200 }), { valid: false, expired: true });
});

test("anything else is refused, also with a good signature", () => {
  const header = { alg: TOKEN_ALG, typ, kid: "k1" };
  const payload = { ...claims, iss: TOKEN_ISSUER };
  const good = token(header, payload);
  assert.ok(readJws(good, ask).valid);
  const { exp: _, ...endless } = payload;
  const [head = "", body = "", signature = ""] = good.split(".");
  const bad = [
    token({ ...header, alg: "none" }, payload),
    token({ ...header, typ: "other+jwt" }, payload),
    token({ ...header, kid: "k2" }, payload),
    token({ ...header, crit: ["b64"] }, payload),
    token(header, { ...payload, iss: "stranger" }),
    token(header, endless),
    token(header, { ...payload, exp: "200" }),
    `${head}.${body}.`,
    `${head}.${body}`,
    `${head}.${Buffer.from("{}").toString("base64url")}.${signature}`,
    `${head}.${body}.${signature}=`,
    `${good}.x`,
    "",
    "a".repeat(10_000),
  ];
  for (const one of bad) assert.deepEqual(readJws(one, ask), { valid: false, expired: false }, one);
});
