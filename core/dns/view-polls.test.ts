/** How a responder follows the core: a real one, over mutual TLS. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect } from "node:tls";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { NameServerId, type Peer } from "../../shared/link/peer.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics, type Metrics } from "../../shared/metrics.ts";
import { HeartbeatAnswer } from "../../shared/protocol/link.ts";
import { until } from "../../test/until.ts";
import { Candidates } from "../gslb/candidates.ts";
import { OPERATOR_TOKEN, startTestCore, testTopology } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { DNS_VIEW_PATH, DnsView, VIEW_WAIT_MS } from "./view.ts";
import { LIVE_MS, SAVE_RETRY_MS, ViewKeeper } from "./view-keeper.ts";
import { ViewPolls } from "./view-polls.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-dns-view-"));
const topologyFile = join(dir, "topology.json");
const [first, ...others] = testTopology.regions;
const addressed = { ...first, publicAddresses: ["203.0.113.1", "2001:db8::1"] };
writeFileSync(topologyFile, JSON.stringify({ ...testTopology, regions: [addressed, ...others] }));

const core = await startTestCore({ TOPOLOGY_FILE: topologyFile });
const regions = [
  await startTestRegion({ core, name: "beijing" }),
  await startTestRegion({ core, name: "shanghai" }),
];
const stops: (() => Promise<void>)[] = [];
after(async () => {
  for (const stop of stops.reverse()) await stop();
  for (const region of regions) await region.stop();
  // The last test has stopped the core, unless one before it failed.
  await core.stop().catch(() => {});
  rmSync(dir, { recursive: true, force: true });
});

/** @param issuer whose certificate the client has; it trusts the core's in any case */
async function clientAs(peer: Peer, issuer = core.authority): Promise<LinkClient> {
  const issued = { ca: core.authority.caPem, ...(await issuer.issue(peer)) };
  const client = new LinkClient(new LinkIdentity(issued));
  stops.push(() => client.stop());
  return client;
}
const nameServer: Peer = { role: "dns", nameServer: NameServerId.parse("ns1") };
const dns = await clientAs(nameServer);

function poll(client: LinkClient, after?: string): Promise<DnsView> {
  return client.call({
    address: core.linkAddress,
    peer: { role: "core" },
    path: DNS_VIEW_PATH,
    body: { after },
    answer: DnsView,
    deadlineMs: 10_000,
  });
}

/** The keeper looks this often how long the core has been silent. */
const CHECKED_WITHIN_MS = 1_001;

async function keeperOf(
  file: string,
  address = core.linkAddress,
  clock: Clock = systemClock,
  metrics: Metrics = createMetrics({ process: "dns" }),
): Promise<ViewKeeper> {
  const keeper = new ViewKeeper({
    client: await clientAs(nameServer),
    coreAddress: address,
    file,
    clock,
    random: Math.random,
    log: createLog("dns", "silent"),
    metrics,
  });
  keeper.start();
  stops.push(() => keeper.stop());
  return keeper;
}

/** What an operator does to a region, by its path below it. */
async function operate(method: string, path: string, body?: object): Promise<void> {
  const response = await fetch(`${core.privateUrl}/ops/regions/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${OPERATOR_TOKEN}`,
      ...(body && { "content-type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  assert.equal(response.status, 200, await response.text());
}
const want = (state: string) => operate("POST", "beijing/wanted", { state });

const obstacles = (view: DnsView) => view.regions.map(({ obstacle }) => obstacle);
const refused = (kind: string) => (error: unknown) => isFailure(error) && error.kind === kind;

test("a core that has heard nobody yet has no view: it would empty all answers", async () => {
  let answered = false;
  const view = poll(dns).then((found) => {
    answered = true;
    return found;
  });
  await regions[0]?.beat();
  assert.equal(answered, false);
  await regions[1]?.beat();
  const { regions: viewed, core: place } = await view;
  assert.deepEqual(place, { latitude: 31.23, longitude: 121.47 });
  assert.deepEqual(viewed[0], {
    regionId: "beijing",
    latitude: 39.9,
    longitude: 116.4,
    weight: 1,
    obstacle: null,
    full: false,
    loadMs: 0,
    addresses: ["203.0.113.1", "2001:db8::1"],
  });
  assert.deepEqual(viewed[1]?.addresses, []);
});

test("who has the view is told of the next: a drain, a fence, and their ends", async () => {
  let { version } = await poll(dns);
  const next = async () => {
    const view = await poll(dns, version);
    version = view.version;
    return obstacles(view);
  };
  const drained = next();
  await want("draining");
  assert.deepEqual(await drained, ["draining: it takes no new players", null]);
  const undrained = next();
  await want("active");
  assert.deepEqual(await undrained, [null, null]);
  const fenced = next();
  await operate("POST", "shanghai/fence");
  assert.deepEqual(await fenced, [null, "fenced: an operator ended what ran there"]);
  const unfenced = next();
  await operate("DELETE", "shanghai/fence");
  assert.deepEqual(await unfenced, [null, null]);
});

test("what changes in the topology file is in the next view", async () => {
  const { version } = await poll(dns);
  const next = poll(dns, version);
  const moved = { ...addressed, publicAddresses: ["203.0.113.7"] };
  writeFileSync(topologyFile, JSON.stringify({ ...testTopology, regions: [moved, ...others] }));
  assert.deepEqual((await next).regions[0]?.addresses, ["203.0.113.7"]);
});

test("only name servers get the view, and they get nothing else", async () => {
  const region = regions[0];
  assert.ok(region);
  await assert.rejects(poll(region.client), refused("forbidden"));
  const coreItself = await clientAs({ role: "core" });
  await assert.rejects(poll(coreItself), refused("forbidden"));
  const heartbeat = dns.call({
    address: core.linkAddress,
    peer: { role: "core" },
    path: "/link/heartbeat",
    body: region.firstHeartbeat(),
    answer: HeartbeatAnswer,
    deadlineMs: 5_000,
  });
  await assert.rejects(heartbeat, refused("forbidden"));
  const stranger = await clientAs(nameServer, await createAuthority());
  await assert.rejects(poll(stranger), refused("unavailable"));
});

test("a name server has few connections, and takes none from the regions", async () => {
  const peer = { role: "dns", nameServer: NameServerId.parse("ns2") } as const;
  const issued = { ca: core.authority.caPem, ...(await core.authority.issue(peer)) };
  const [host, port] = core.linkAddress.split(":");
  const checkServerIdentity = () => undefined;
  let ended = 0;
  const sockets = Array.from({ length: 40 }, () => {
    const socket = connect({ host, port: Number(port), ...issued, checkServerIdentity });
    socket.on("error", () => socket.destroy()).on("close", () => (ended += 1));
    return socket.resume();
  });
  try {
    await until("those beyond 16 are closed", () => ended === 24);
    await regions[0]?.beat();
    assert.ok(await poll(dns), "another name server");
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

test("a keeper follows, and goes on with what it had while the core is away", async () => {
  const file = join(dir, "view.json");
  const keeper = await keeperOf(file);
  await until("it has a view", () => keeper.status().view === "live");
  const before = keeper.status().version;
  await want("draining");
  await until("it has the next", () => keeper.status().version !== before);
  await keeper.stop();
  const drained = keeper.regions;

  const away = await keeperOf(file, "127.0.0.1:1");
  assert.equal(away.status().view, "kept");
  assert.deepEqual(away.regions, drained);
  await away.stop();

  const back = await keeperOf(file);
  await until("it is live", () => back.status().view === "live");
  await back.stop();
  await want("active");
});

test("a kept view that is damaged, or of another version, counts as none", async () => {
  const file = join(dir, "damaged.json");
  const good = readFileSync(join(dir, "view.json"), "utf8");
  const wrong = [
    good.slice(0, -9),
    "null",
    good.replace('"regions":[', '"regions":[5,'),
    good.replace("203.0.113.7", "203.0.113.999"),
  ];
  for (const text of wrong) {
    writeFileSync(file, text);
    const keeper = await keeperOf(file, "127.0.0.1:1");
    assert.deepEqual(keeper.status(), { view: "none", version: null, ageMs: null }, text);
    await keeper.stop();
  }
});

test("what is at the file's place and is no file does not hold up the start", async () => {
  const file = join(dir, "pipe");
  assert.equal(spawnSync("mkfifo", [file]).status, 0);
  const keeper = await keeperOf(file, "127.0.0.1:1");
  assert.equal(keeper.status().view, "none");
  await keeper.stop();
});

test("a view that could not be kept is tried again, though nothing changes", async () => {
  const clock = new FakeClock();
  const metrics = createMetrics({ process: "dns" });
  const folder = join(dir, "full");
  const file = join(folder, "view.json");
  const keeper = await keeperOf(file, core.linkAddress, clock, metrics);
  await until("it is live", () => keeper.status().view === "live");
  clock.advance(1_000);
  await until("it could not be kept", async () =>
    /^meridian_dns_view_saves_failed_total\{.*\} 1$/m.test(await metrics.metrics()),
  );
  mkdirSync(folder);
  clock.advance(SAVE_RETRY_MS);
  await until("it is kept", () => existsSync(file));
  await keeper.stop();
});

test("after ten seconds without a word the view is kept, and live again with the next", async () => {
  const clock = new FakeClock();
  const keeper = await keeperOf(join(dir, "silent.json"), core.linkAddress, clock);
  await until("it is live", () => keeper.status().view === "live");
  clock.advance(LIVE_MS - 1);
  assert.equal(keeper.status().view, "live");
  clock.advance(CHECKED_WITHIN_MS);
  assert.equal(keeper.status().view, "kept");
  await want("draining");
  await until("it is live again", () => keeper.status().view === "live");
  await want("active");
  await keeper.stop();
});

test("so many may wait, and no more", async () => {
  const clock = new FakeClock();
  const nothing = new Map();
  const polls = new ViewPolls({
    regions: () => nothing,
    candidates: new Candidates(() => nothing),
    core: () => testTopology.core,
    clock,
    metrics: createMetrics({ process: "core" }),
  });
  const named = (n: number) => NameServerId.parse(`ns${n}`);
  const waiting = Array.from({ length: 64 }, (_, n) => polls.poll(named(n >> 3), undefined));
  await assert.rejects(polls.poll(named(8), undefined), refused("unavailable"));
  clock.advance(50);
  const [first, second] = await Promise.all(waiting);
  assert.equal(first?.version, second?.version);
  const own = Array.from({ length: 8 }, () => polls.poll(named(1), first?.version));
  await assert.rejects(polls.poll(named(1), first?.version), refused("unavailable"), "of one");
  const next = polls.poll(named(2), first?.version);
  clock.advance(VIEW_WAIT_MS);
  assert.deepEqual(await next, first);
  await Promise.all(own);
});

test("those who wait do not hold up a core that stops", async () => {
  const { version } = await poll(dns);
  const waiting = poll(dns, version);
  const refusal = assert.rejects(waiting, /The core stops/);
  await until("it waits", async () => {
    const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
    return /^meridian_dns_name_servers_waiting\{.*\} 1$/m.test(metrics);
  });
  await core.stop();
  await refusal;
});
