/** The link's CA and every certificate are replaced while calls go both ways: not one of them fails. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  createAuthority,
  loadAuthority,
  retireFormer,
  rotateAuthority,
  saveAuthority,
} from "../../infra/private-link/authority.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { RegionId } from "../../shared/ids.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { IdentityFiles } from "../../shared/link/identity-files.ts";
import type { Peer } from "../../shared/link/peer.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const CALLERS = 8;
const dir = mkdtempSync(join(tmpdir(), "meridian-rotation-"));
after(() => rmSync(dir, { recursive: true }));

const beijing: Peer = { role: "region", regionId: RegionId.parse("beijing") };

test("heartbeats and joins go on while the CA and all certificates are replaced", async (t) => {
  const core = await startTestCore();
  t.after(() => core.stop());
  const region = await startTestRegion({ core, name: "beijing" });
  t.after(() => region.stop());
  await region.heartbeat();
  saveAuthority(dir, core.authority);

  let calls = 0;
  let going = true;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (going) {
      await region.heartbeat();
      calls += 1;
    }
  });
  const more = async () => {
    const until = calls + CALLERS * 3;
    while (calls < until) await region.heartbeat();
  };

  await more();
  await rotateAuthority(dir);
  const both = await loadAuthority(dir);
  for (const { identity } of [core, region]) {
    identity.replace({ ...identity.current, ca: both.caPem });
  }
  await more();
  core.identity.replace({ ca: both.caPem, ...(await both.issue({ role: "core" })) });
  await more();
  region.identity.replace({ ca: both.caPem, ...(await both.issue(beijing)) });
  await more();
  retireFormer(dir);
  const { caPem: ca } = await loadAuthority(dir);
  for (const { identity } of [core, region]) identity.replace({ ...identity.current, ca });
  await more();
  going = false;
  await Promise.all(callers);

  const stale = { ca, ...(await core.authority.issue(beijing)) };
  region.identity.replace(stale);
  await assert.rejects(region.heartbeat(), { kind: "unavailable" });
});

test("files that do not belong together change nothing, and whole ones are taken", async () => {
  const authority = await createAuthority();
  const issue = async (): Promise<LinkCredentials> => ({
    ca: authority.caPem,
    ...(await authority.issue({ role: "core" })),
  });
  const [first, second] = [await issue(), await issue()];
  const identity = new LinkIdentity(first);
  let files: LinkCredentials = { ...first, cert: second.cert };
  const clock = new FakeClock();
  const metrics = createMetrics({});
  const watch = new IdentityFiles({
    identity,
    read: () => files,
    clock,
    log: createLog("test", "silent"),
    metrics,
  });
  watch.start();
  clock.advance(5_000);
  assert.equal(identity.current, first);
  files = second;
  clock.advance(5_000);
  assert.equal(identity.current, second);
  watch.stop();
  assert.equal(clock.pending, 0);
  const told = await metrics.getSingleMetricAsString("meridian_link_identity_changes_total");
  assert.match(told, /outcome="refused"\} 1/);
  assert.match(told, /outcome="taken"\} 1/);
});

test("an authority is rotated once at a time, and retired only after that", async () => {
  const own = join(dir, "own");
  saveAuthority(own, await createAuthority());
  assert.throws(() => retireFormer(own), /no former one/);
  await rotateAuthority(own);
  await assert.rejects(rotateAuthority(own), /being replaced already/);
  const issued = await (await loadAuthority(own)).issue(beijing);
  assert.ok(issued.cert);
  retireFormer(own);
  await rotateAuthority(own);
});
