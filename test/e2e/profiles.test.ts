/** A profile's way: a real core with its database, real heartbeats, and a node's cache, over real mTLS. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startTestCore } from "../../core/test-core.ts";
import { Heartbeats, type Report } from "../../region/link/heartbeat.ts";
import { noPeers, straightWay } from "../../region/link/test-core.ts";
import { ProfileLink } from "../../region/profiles/profile-link.ts";
import { KeySet } from "../../region/transport/key-set.ts";
import { systemClock } from "../../shared/clock.ts";
import { NodeId, type PlayerId, RegionId } from "../../shared/ids.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { HEARTBEAT_PERIOD_MS } from "../../shared/protocol/link.ts";
import { PROTOCOL_VERSION } from "../../shared/protocol/version.ts";
import { until } from "../until.ts";

const REPORT: Report = {
  regionId: RegionId.parse("beijing"),
  nodeId: NodeId.parse("beijing-1"),
  protocol: PROTOCOL_VERSION,
  build: "test",
  publicAddress: "127.0.0.1:1",
  linkAddress: "127.0.0.1:2",
  nodeAddress: "127.0.0.1:1",
  games: [],
  state: "active",
  capacity: 1,
  connected: 0,
  reserved: 0,
  rooms: 0,
  openSeats: {},
  load: { eventLoopDelayP99Ms: 0, eventLoopUtilisation: 0, rssBytes: 1 },
  redis: "up",
};

const core = await startTestCore();
let coreRuns = true;
const peer = { role: "region", regionId: REPORT.regionId } as const;
const identity = new LinkIdentity({
  ca: core.authority.caPem,
  ...(await core.authority.issue(peer)),
});
const client = new LinkClient(identity);
const metrics = createMetrics({});
const common = { client, coreAddress: core.linkAddress, clock: systemClock, metrics };
const profiles = new ProfileLink(common);
const heartbeats = new Heartbeats({
  ...common,
  keys: new KeySet(),
  report: () => REPORT,
  feed: profiles,
  peers: noPeers,
  way: straightWay,
  onWanted() {},
  onFenced() {},
  onCoreTerm() {},
  onSuperseded() {},
  log: createLog("region", "silent"),
});
heartbeats.start();
after(async () => {
  await heartbeats.stop();
  await client.stop();
  if (coreRuns) await core.stop();
});

interface Guest {
  readonly playerId: PlayerId;
  readonly accessToken: string;
}

async function call(path: string, method: string, body: object, guest?: Guest) {
  const response = await fetch(core.url + path, {
    method,
    headers: {
      "content-type": "application/json",
      ...(guest && { authorization: `Bearer ${guest.accessToken}` }),
    },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200);
  return await response.json();
}

async function asked(): Promise<number> {
  const metric = await metrics.getSingleMetric("meridian_region_profiles_total")?.get();
  return metric?.values.find(({ labels }) => labels.outcome === "asked")?.value ?? 0;
}

test("a rename at the core is seen by a node's rooms with the next heartbeats; then it goes stale", async () => {
  const ada: Guest = await call("/v1/guests", "POST", { name: "Ada" });
  await until("the feed", () => profiles.place);
  assert.equal((await profiles.get(ada.playerId))?.name, "Ada");
  const before = await asked();
  for (let n = 0; n < 100; n += 1) await profiles.get(ada.playerId);
  // Again at most because this machine is so slow that a heartbeat was late.
  assert.ok((await asked()) - before < 10);
  const tookMs: number[] = [];
  for (const name of ["Bea", "Cid", "Dee", "Eve", "Fay"]) {
    await call("/v1/me", "PATCH", { name }, ada);
    const beganMs = performance.now();
    await until("the new name", async () => (await profiles.get(ada.playerId))?.name === name);
    tookMs.push(Math.round(performance.now() - beganMs));
  }
  console.log(
    `# a rename was seen after ${tookMs.join(", ")} ms (heartbeats: ${HEARTBEAT_PERIOD_MS} ms)`,
  );
  coreRuns = false;
  await core.stop();
  await until("the profile to be stale", async () => (await profiles.get(ada.playerId))?.stale);
  assert.equal((await profiles.get(ada.playerId))?.name, "Fay");
});
