import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { databaseProxyConfig } from "./database-config.ts";

const members = [
  { name: "b", address: "10.0.0.2:5432", checkPort: 8008 },
  { name: "a", address: "10.0.0.1:5432", checkPort: 8008 },
];

test("one address leads to whichever is the primary, whose connections end when it is not", () => {
  const text = databaseProxyConfig(members, { bind: ":5000", connectionsMax: 200 });
  assert.match(text, /^listen database_primary\n {2}bind :5000$/m);
  assert.match(text, /http-check send meth GET uri \/primary$/m);
  assert.match(text, /default-server .* on-marked-down shutdown-sessions$/m);
  assert.match(text, /server a 10\.0\.0\.1:5432 maxconn 200 check port 8008\n {2}server b /);
  assert.doesNotMatch(text, /database_standby/);
});

test("another leads to standbys that do not lag", () => {
  const standby = { bind: ":5001", lagMax: "16MB" };
  const text = databaseProxyConfig(members, { bind: ":5000", standby, connectionsMax: 200 });
  assert.match(text, /bind :5001\n.*\n {2}http-check send meth GET uri \/replica\?lag=16MB$/m);
  assert.equal(
    text,
    databaseProxyConfig([...members].reverse(), { bind: ":5000", standby, connectionsMax: 200 }),
  );
});

test("the page for operators shows this very text", () => {
  const page = readFileSync(new URL("../../docs/database.md", import.meta.url), "utf8");
  const shown = /<!-- haproxy -->\n```\n([\s\S]*?)```/.exec(page)?.[1];
  const three = ["1", "2", "3"].map((n) => ({
    name: `db${n}`,
    address: `10.0.0.${n}:5432`,
    checkPort: 8008,
  }));
  const standby = { bind: "127.0.0.1:5001", lagMax: "16MB" };
  const options = { bind: "127.0.0.1:5000", standby, connectionsMax: 300 };
  assert.equal(shown, databaseProxyConfig(three, options));
});
