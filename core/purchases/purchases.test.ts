/** Receipts over real HTTP into a real database: each grants once, to one player. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import pg from "pg";
import { readConfig } from "../../shared/config.ts";
import { callsOf } from "../accounts/test-calls.ts";
import { coreSettings } from "../config.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-purchases-"));
const keys = await generateKeyPair("EdDSA", { extractable: true });
const jwk = { ...(await exportJWK(keys.publicKey)), kid: "shop", alg: "EdDSA", use: "sig" };
const ISSUER = "https://shop.example.org";
const write = (name: string, content: unknown) => {
  writeFileSync(join(dir, name), JSON.stringify(content));
  return join(dir, name);
};
write("shop.json", { keys: [jwk] });
const stores = write("stores.json", [
  {
    store: "web-shop",
    issuer: ISSUER,
    audience: "my-game",
    jwksFile: "shop.json",
    algorithms: ["EdDSA"],
  },
]);
const catalogue = write("catalogue.json", {
  "coins-100": [{ kind: "credit", currency: "coin", amount: 100 }],
  starter: [
    { kind: "credit", currency: "coin", amount: 50 },
    { kind: "grantItem", itemKind: "hat" },
    { kind: "grantItem", itemKind: "hat" },
  ],
});
const files = { PURCHASE_STORES_FILE: stores, PURCHASE_CATALOGUE_FILE: catalogue };
const core = await startTestCore(files);
const client = new pg.Client(core.databaseUrl);
await client.connect();
await client.query("set search_path = meridian");
after(async () => {
  await client.end();
  await core.stop();
  rmSync(dir, { recursive: true });
});
const { post, done, kind } = callsOf(core);

interface Said {
  readonly productId?: string;
  readonly playerId?: string;
  readonly audience?: string;
  readonly issuer?: string;
  readonly expiresIn?: string;
}

function receiptOf(transactionId: string, said: Said = {}, signer = keys.privateKey) {
  const { productId = "coins-100", audience = "my-game", issuer = ISSUER } = said;
  const { playerId, expiresIn } = said;
  const jwt = new SignJWT({ transactionId, productId, ...(playerId && { playerId }) })
    .setProtectedHeader({ alg: "EdDSA", kid: "shop" })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt();
  return (expiresIn ? jwt.setExpirationTime(expiresIn) : jwt).sign(signer);
}

const newGuest = () => done("/v1/guests", { name: "Ada", device: "phone" });
const path = "/v1/me/purchases";
const body = (receipt: string, store = "web-shop") => ({ store, receipt });

test("a receipt grants what the catalogue says, once, and is in the player's own data", async () => {
  const guest = await newGuest();
  const call = { token: guest.accessToken };
  const receipt = await receiptOf("t-1", { productId: "starter", playerId: guest.playerId });
  const first = await done(path, body(receipt), call);
  const hat = (n: number) => `purchase/web-shop/t-1/${n}`;
  assert.deepEqual(first, {
    transactionId: "t-1",
    productId: "starter",
    granted: [
      { kind: "credit", currency: "coin", amount: 50 },
      { kind: "grantItem", itemId: hat(1), itemKind: "hat" },
      { kind: "grantItem", itemId: hat(2), itemKind: "hat" },
    ],
    alreadyGranted: false,
    wallets: [{ currency: "coin", balance: 50 }],
  });
  assert.deepEqual(await done(path, body(receipt), call), { ...first, alreadyGranted: true });
  const proof = { secret: guest.secret };
  const data = await done("/v1/me/export", { proof }, call);
  assert.equal(data.possessions.items.length, 2);
  const [purchase] = data.purchases;
  assert.deepEqual(
    [data.purchases.length, purchase.store, purchase.transactionId, purchase.productId],
    [1, "web-shop", "t-1", "starter"],
  );
});

test("of 20 posts of one receipt at once one grants, and all say what", async () => {
  const guest = await newGuest();
  const receipt = body(await receiptOf("t-2"));
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => done(path, receipt, { token: guest.accessToken })),
  );
  assert.equal(answers.filter(({ alreadyGranted }) => !alreadyGranted).length, 1);
  for (const { wallets } of answers)
    assert.deepEqual(wallets, [{ currency: "coin", balance: 100 }]);
  const { rows } = await client.query(
    "select sum(amount)::int as sum, count(*)::int as entries from ledger where op_id = $1",
    ["purchase/web-shop/t-2"],
  );
  assert.deepEqual(rows, [{ sum: 0, entries: 2 }]);
});

test("of many players with one receipt at once one has it, the others a conflict", async () => {
  const guests = await Promise.all(Array.from({ length: 8 }, newGuest));
  const receipt = body(await receiptOf("t-3"));
  const answers = await Promise.all(
    guests.map(({ accessToken }) => post(path, receipt, { token: accessToken })),
  );
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  for (const { status, body } of answers) {
    if (status !== 200) assert.deepEqual([status, body.error.kind], [409, "conflict"]);
  }
  const { rows } = await client.query("select count(*)::int as n from ops where op_id = $1", [
    "purchase/web-shop/t-3",
  ]);
  assert.equal(rows[0].n, 1);
});

test("what is wrong with a receipt is refused, and leaves it unused", async () => {
  const guest = await newGuest();
  const call = { token: guest.accessToken };
  const stranger = (await generateKeyPair("EdDSA")).privateKey;
  const good = await receiptOf("t-4");
  const wrong = {
    "another game's": await receiptOf("t-4", { audience: "other" }),
    "another store's": await receiptOf("t-4", { issuer: "https://evil.example" }),
    "a stranger's": await receiptOf("t-4", {}, stranger),
    expired: await receiptOf("t-4", { expiresIn: "-2m" }),
    cut: good.slice(0, -9),
    "no receipt": "nonsense",
    "a transaction of a wrong form": await receiptOf("t 4"),
  };
  for (const [what, receipt] of Object.entries(wrong)) {
    assert.equal(await kind(path, body(receipt), call), "receipt_refused", what);
  }
  const other = await receiptOf("t-4", { playerId: "0190f2a0-0000-7000-8000-000000000009" });
  assert.equal(await kind(path, body(other), call), "conflict");
  assert.equal(await kind(path, body(good, "no-shop"), call), "not_found");
  assert.equal(await kind(path, body(good)), "unauthorized");
  const unknown = await post(path, body(await receiptOf("t-4", { productId: "new" })), call);
  assert.equal(unknown.body.error.kind, "unavailable");
  assert.equal(unknown.body.error.retryAfterMs, 60_000);
  assert.equal((await done(path, body(good), call)).alreadyGranted, false);
});

test("what can't be granted now is not recorded, and is granted later", async () => {
  const guest = await newGuest();
  const call = { token: guest.accessToken };
  const receipt = body(await receiptOf("t-5"));
  await client.query("insert into wallets values ($1, 'coin', $2)", [
    guest.playerId,
    Number.MAX_SAFE_INTEGER - 50,
  ]);
  assert.equal(await kind(path, receipt, call), "value_refused");
  await client.query("delete from wallets where player_id = $1", [guest.playerId]);
  assert.equal((await done(path, receipt, call)).alreadyGranted, false);
});

test("a deleted account's receipts stay used, and its money is booked out", async () => {
  const [guest, other] = [await newGuest(), await newGuest()];
  const receipt = body(await receiptOf("t-6"));
  await done(path, receipt, { token: guest.accessToken });
  await done("/v1/me/delete", { proof: { secret: guest.secret } }, { token: guest.accessToken });
  assert.equal(await kind(path, receipt, { token: other.accessToken }), "conflict");
  const fresh = body(await receiptOf("t-7"));
  assert.equal(await kind(path, fresh, { token: guest.accessToken }), "unauthorized");
});

test("ledger and items agree after all this; a player's rate is bounded", async () => {
  const reconcile = async (method: string) => {
    const headers = { authorization: `Bearer ${OPERATOR_TOKEN}` };
    return await (await fetch(`${core.privateUrl}/ops/reconcile`, { method, headers })).json();
  };
  await reconcile("POST");
  let status = await reconcile("GET");
  while (status.running || status.runs === 0) status = await reconcile("GET");
  assert.deepEqual(status.differences, []);
  const guest = await newGuest();
  const asked: string[] = [];
  while (asked.at(-1) !== "too_many_requests") {
    asked.push(await kind(path, body("nonsense"), { token: guest.accessToken }));
  }
  assert.ok(asked.length <= 40, `${asked.length}`);
});

test("files of a wrong form end the start in one line", () => {
  const wrong = write("wrong.json", { gems: [{ kind: "credit", currency: "coin", amount: -1 }] });
  const read = (env: Record<string, string>) => () => readConfig(coreSettings, env);
  assert.throws(read({ PURCHASE_CATALOGUE_FILE: wrong }), /PURCHASE_CATALOGUE_FILE.*wrong\.json/s);
  const none = join(dir, "none.json");
  assert.throws(read({ PURCHASE_STORES_FILE: none }), /PURCHASE_STORES_FILE.*none\.json/s);
  const secret = write("secret.json", [
    { store: "a", issuer: "a", audience: "a", jwksFile: "shop.json", algorithms: ["HS256"] },
  ]);
  assert.throws(read({ PURCHASE_STORES_FILE: secret }), /secret\.json/, "a shared secret");
});
