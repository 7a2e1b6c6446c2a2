import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pdnsConfig } from "./config.ts";

const PAGE = new URL("../../docs/dns.md", import.meta.url);

test("the page shows the configuration that is made", () => {
  const text = pdnsConfig({
    responderSocket: "/run/meridian-dns/responder.sock",
    addresses: ["0.0.0.0", "::"],
    port: 53,
    socketDir: "/run/pdns",
    user: "pdns",
  });
  assert.ok(readFileSync(PAGE, "utf8").includes(`\n\`\`\`\n${text}\`\`\`\n`), text);
});
