/**
 * A node whose way to the core is cut, over real sockets: its link client, its heartbeats, and neighbours that relay.
 * Time moves only when told to.
 */
import assert from "node:assert/strict";
import { after, afterEach, beforeEach, test } from "node:test";
import { type DelayProxy, startDelayProxy } from "../../infra/local/wan/delay-proxy.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { ValueOp } from "../../shared/protocol/value.ts";
import { until } from "../../test/until.ts";
import { KeySet } from "../transport/key-set.ts";
import { ValueLink } from "../value/value-link.ts";
import { CoreWay } from "./core-way.ts";
import { Heartbeats } from "./heartbeat.ts";
import { Neighbour } from "./neighbour.testkit.ts";
import type { RelayPeer } from "./relay-tunnel.ts";
import { noPeers, TEST_REPORT, TestCore } from "./test-core.ts";

const STEP_MS = 50;
const log = createLog("region", "silent");
const core = await TestCore.start();
after(() => core.stop());

const ends: (() => Promise<unknown>)[] = [];
let clock: FakeClock;
let proxy: DelayProxy;
let way: CoreWay;
let heartbeats: Heartbeats;
let value: ValueLink;
let metrics: ReturnType<typeof createMetrics>;
let peers: RelayPeer[] = [];
/** That were begun: each asks for the peers once. */
let searches = 0;

beforeEach(async () => {
  clock = new FakeClock();
  peers = [];
  searches = 0;
  core.heartbeats.length = 0;
  core.valueOps.length = 0;
  proxy = await startDelayProxy({
    listenHost: "127.0.0.1",
    listenPort: 0,
    targetHost: "127.0.0.1",
    targetPort: Number(core.address.split(":")[1]),
    oneWayMs: 0,
  });
  const coreAddress = `127.0.0.1:${proxy.port}`;
  metrics = createMetrics({});
  const common = { coreAddress, clock, random: () => 0.5, log, metrics };
  way = new CoreWay({
    ...common,
    identity: core.regionIdentity,
    peers: () => {
      searches += 1;
      return peers;
    },
    relayAfterMs: 1_000,
    onChanged: () => void heartbeats.announce(),
  });
  const ways = { ways: way };
  const client = new LinkClient(core.regionIdentity, clock, ways);
  const valueClient = new LinkClient(core.regionIdentity, clock, ways);
  heartbeats = new Heartbeats({
    ...common,
    client,
    keys: new KeySet(),
    report: () => TEST_REPORT,
    feed: { place: undefined, hear() {} },
    peers: noPeers,
    way,
    onWanted() {},
    onFenced() {},
    onCoreTerm() {},
    onSuperseded() {},
  });
  value = new ValueLink({
    ...common,
    client: valueClient,
    nodeId: NodeId.parse("testing-1"),
    leaseHeld: () => heartbeats.leaseHeld,
    rooms: () => [],
  });
  ends.push(
    () => proxy.stop(),
    async () => {
      await way.stop();
      value.stop();
      await Promise.all([client.stop(), valueClient.stop(), heartbeats.stop()]);
    },
  );
  heartbeats.start();
  await until("the first answer", () => heartbeats.leaseHeld);
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function neighbour(name: string, coreAddress = core.address): Promise<Neighbour> {
  const started = await Neighbour.start({ core, name, coreAddress });
  ends.push(() => started.stop());
  return started;
}

/** Lets time pass, a little more than there is, until it is so. */
async function passing(what: string, isSo: () => boolean): Promise<void> {
  await until(what, () => {
    if (!isSo()) clock.advance(STEP_MS);
    return isSo();
  });
}

/** The core answers heartbeats that come this way. */
async function beats(relayed: boolean): Promise<void> {
  // What was held on the way when it was cut comes late.
  const last = Math.max(...core.heartbeats.map(({ sequence }) => sequence));
  const came = () =>
    core.heartbeats.some((beat) => beat.sequence > last && (beat.relayed ?? false) === relayed);
  await passing(`heartbeats, relayed: ${relayed}`, () => came() && heartbeats.leaseHeld);
}

async function earns(id: string): Promise<void> {
  const playerId = "0190f2a0-0000-7000-8000-000000000001";
  const changes = [{ kind: "credit", playerId, currency: "coin", amount: 3 }];
  const room = { roomId: RoomId.parse("room"), roomEpoch: [1, 1] as const };
  let outcome: string | undefined;
  value.apply(room, ValueOp.parse({ id, changes })).then(
    (answer) => {
      outcome = answer.outcome;
    },
    () => {
      outcome = "failed";
    },
  );
  await passing("an outcome", () => outcome !== undefined);
  assert.equal(outcome, "committed");
  assert.ok(core.valueOps.some(({ op }) => op.id === id));
}

for (const kind of ["refused", "black hole"] as const) {
  test(`the way is cut (${kind}): a neighbour relays, until it is whole again`, async () => {
    const { peer } = await neighbour("west");
    peers = [peer];
    await earns("room/1/ada");
    assert.equal(way.relayed, false);
    if (kind === "refused") await proxy.cut();
    else proxy.halfOpen();
    await beats(true);
    assert.equal(way.relayed, true);
    await earns("room/2/ada");
    await beats(true);
    await proxy.heal();
    await beats(false);
    assert.equal(way.relayed, false);
    await earns("room/3/ada");
  });
}

test("a relay that dies is replaced, one that is cut off itself or away is passed over", async () => {
  const near = await neighbour("near");
  const cutOff = await neighbour("north");
  const far = await neighbour("west");
  cutOff.relayed = true;
  const away = { regionId: RegionId.parse("away"), linkAddress: "127.0.0.1:1" };
  peers = [near.peer];
  await proxy.cut();
  await beats(true);
  const { peer } = near;
  peers = [peer, away, cutOff.peer, far.peer];
  await near.stop();
  await beats(true);
  assert.equal(await far.tunnels(), 1);
});

test("a relay is no way to another core, and whoever poses as a region is none", async () => {
  const { peer } = await neighbour("west");
  peers = [{ ...peer, regionId: RegionId.parse("east") }];
  await proxy.cut();
  await passing("the lease's end", () => !heartbeats.leaseHeld);
  assert.equal(way.relayed, false);
  peers = [peer];
  await beats(true);
});

test("without a neighbour calls fail as they did, and the next answer mends it", async () => {
  await proxy.cut();
  await passing("the lease's end", () => !heartbeats.leaseHeld);
  assert.equal(way.relayed, false);
  await proxy.heal();
  await beats(false);
});

test("a late answer during a search does not make it the last one", async () => {
  proxy.halfOpen();
  await passing("a search", () => searches === 1);
  way.heard();
  // The search waits for the straight way still.
  clock.advance(1_000);
  assert.equal(searches, 1);
  await passing("the next search", () => searches === 2);
  await proxy.heal();
  await beats(false);
});

test("a core that is slow is no way that is cut", async () => {
  const { peer } = await neighbour("west");
  peers = [peer];
  let answer = () => {};
  core.heartbeatsHeld = new Promise((resolve) => {
    answer = resolve;
  });
  await passing("the lease's end", () => !heartbeats.leaseHeld);
  core.heartbeatsHeld = undefined;
  answer();
  await beats(false);
  assert.ok(core.heartbeats.every((beat) => !beat.relayed));
});

test("a core that stood still for both ways is no way that is cut", async () => {
  const { peer } = await neighbour("west", `127.0.0.1:${proxy.port}`);
  peers = [peer];
  proxy.halfOpen();
  await passing("the lease's end", () => !heartbeats.leaseHeld);
  await proxy.heal();
  await until("the search's end", async () => {
    const found = await metrics.getSingleMetric("meridian_region_core_way_searches_total")?.get();
    return found?.values.some(({ labels }) => labels.found === "straight");
  });
  await beats(false);
  assert.ok(core.heartbeats.every((beat) => !beat.relayed));
});
