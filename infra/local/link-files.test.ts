import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Peer } from "../../shared/link/peer.ts";
import { keepLinkFiles } from "./link-files.ts";

const DAY_MS = 86_400_000;
const dir = mkdtempSync(join(tmpdir(), "meridian-link-"));
after(() => rmSync(dir, { recursive: true }));

const core: Peer = { role: "core" };

/** The authority's and the core's certificates, as kept at `nowMs`. */
async function keep(nowMs: number): Promise<{ ca: string; cert: string }> {
  const files = (await keepLinkFiles(dir, [core], nowMs)).get(core);
  assert.ok(files);
  return {
    ca: readFileSync(files.LINK_CA_FILE, "utf8"),
    cert: readFileSync(files.LINK_CERT_FILE, "utf8"),
  };
}

test("authority and certificates are kept, and renewed before they end", async () => {
  const first = await keep(Date.now());
  assert.deepEqual(await keep(Date.now()), first, "kept");

  const later = await keep(Date.now() + 340 * DAY_MS);
  assert.equal(later.ca, first.ca);
  assert.notEqual(later.cert, first.cert, "a certificate of a year is near its end");

  const muchLater = await keep(Date.now() + 3_640 * DAY_MS);
  assert.notEqual(muchLater.ca, first.ca, "an authority of ten years is near its end");
  const { publicKey } = new X509Certificate(muchLater.ca);
  assert.ok(new X509Certificate(muchLater.cert).verify(publicKey), "and its certificates follow");
});

test("a certificate of another authority is replaced", async () => {
  rmSync(join(dir, "ca.pem"));
  const { ca, cert } = await keep(Date.now());
  assert.ok(new X509Certificate(cert).verify(new X509Certificate(ca).publicKey));
});
