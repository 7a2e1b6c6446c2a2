/** `npm run ops -- reconcile`, as an operator types it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { after, test } from "node:test";
import pg from "pg";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";

const core = await startTestCore();
const client = new pg.Client(core.databaseUrl);
await client.connect();
after(async () => {
  await client.end();
  await core.stop();
});

function reconcile(): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "cli.ts"), "reconcile"], {
    env: {
      ...process.env,
      MERIDIAN_OPS_URL: core.privateUrl,
      MERIDIAN_OPERATOR_TOKEN: OPERATOR_TOKEN,
    },
  });
  let out = "";
  child.stdout.on("data", (bytes) => {
    out += String(bytes);
  });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, out }));
  });
}

test("it ends with 0 when all agree, else with 1 and a list", async () => {
  assert.deepEqual(await reconcile(), {
    code: 0,
    out: "money and items are what the operations say.\n",
  });
  const nobody = "0190f2a0-0000-7000-8000-000000000001";
  await client.query("insert into meridian.wallets values ($1, 'coin', 5)", [nobody]);
  const { code, out } = await reconcile();
  assert.equal(code, 1);
  assert.match(out, new RegExp(`wallet +${nobody} coin +0 +5`));
  const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
  assert.match(metrics, /meridian_value_differences\{[^}]*kind="wallet"[^}]*\} 1/);
});
