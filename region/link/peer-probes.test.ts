/** Nodes of two regions that measure the way to each other, over real mTLS; their time moves only when told to. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { Done, PROBE_PATH } from "../../shared/protocol/link.ts";
import { until } from "../../test/until.ts";
import { TestNode } from "../transport/test-node.ts";
import { createLinkServer } from "./link-server.ts";
import { PeerProbes } from "./peer-probes.ts";
import { TestCore } from "./test-core.ts";

const PERIOD_MS = 2_000;
const core = await TestCore.start();
const log = createLog("region", "silent");
/** Of a node that is never started: nothing here gets as far as to a seat. */
const { matchmaker } = new TestNode({ games: {} });
const ends: (() => Promise<unknown>)[] = [() => core.stop()];
after(async () => {
  for (const end of ends.reverse()) await end();
});

async function identityOf(name: string): Promise<LinkIdentity> {
  return new LinkIdentity(await core.credentialsOf(name));
}

async function serve(name: string, port = 0): Promise<{ server: HttpServer; address: string }> {
  const server = createLinkServer({
    identity: await identityOf(name),
    matchmaker,
    onWanted() {},
    wanted() {},
    onFenced() {},
    witness: { look: async () => "silent" },
    upgrades: new Map(),
    log,
  });
  await server.listen({ host: "127.0.0.1", port });
  ends.push(() => server.close());
  const found = server.server.address();
  assert.ok(typeof found === "object" && found);
  return { server, address: `127.0.0.1:${found.port}` };
}

const west = RegionId.parse("west");
const east = RegionId.parse("east");

test("a region may measure the way to another, and do nothing else there", async () => {
  const { address } = await serve("east");
  const peer = { role: "region", regionId: east } as const;
  const call = (client: LinkClient, path: string, body?: unknown) =>
    client.call({ address, peer, path, answer: Done, deadlineMs: 5_000, body });
  const asWest = new LinkClient(await identityOf("west"));
  ends.push(() => asWest.stop());
  assert.deepEqual(await call(asWest, PROBE_PATH), { ok: true });
  const refused: [string, unknown][] = [
    ["/link/drain", { state: "draining" }],
    ["/link/fence", { regionEpoch: [1, 1] }],
    ["/link/reserve", {}],
    [PROBE_PATH, {}],
    ["/link/nothing", undefined],
    [`${PROBE_PATH}/drain`, undefined],
  ];
  for (const [path, body] of refused) {
    await assert.rejects(call(asWest, path, body), (error) => isFailure(error, "forbidden"), path);
  }
  const asCore = new LinkClient(core.coreIdentity);
  ends.push(() => asCore.stop());
  assert.deepEqual(await call(asCore, PROBE_PATH), { ok: true });
  assert.deepEqual(await call(asCore, "/link/drain", { state: "active" }), { ok: true });
});

test("a peer is measured, given up when it is gone, and found again", async () => {
  const clock = new FakeClock();
  const metrics = createMetrics({});
  const probes = new PeerProbes({
    regionId: west,
    client: new LinkClient(await identityOf("west")),
    periodMs: PERIOD_MS,
    clock,
    log,
    metrics,
  });
  ends.push(() => probes.stop());
  const { server, address } = await serve("east");
  probes.start();
  assert.equal(probes.version, "");
  clock.advance(PERIOD_MS);
  assert.deepEqual(probes.roundTripsMs, {}, "nobody is known yet");
  const regions = [
    { regionId: west, linkAddress: "127.0.0.1:1" },
    { regionId: east, linkAddress: address },
  ];
  probes.hear({ version: "v1", regions });
  assert.equal(probes.version, "v1");

  const counted = async (): Promise<string> => {
    const text = await metrics.metrics();
    const lines = text.matchAll(/^meridian_region_peer_probes_total\{(.*)\} (\d+)$/gm);
    return Array.from(lines, ([, labels, count]) => `${labels} ${count}`).join("\n");
  };
  /** One turn each time, until what was counted is that. */
  const turnsUntil = (wanted: RegExp) =>
    until(`turns like ${wanted}`, async () => {
      if (wanted.test(await counted())) return true;
      clock.advance(PERIOD_MS);
      return false;
    });
  await turnsUntil(/answered" 1$/m);
  assert.deepEqual(Object.keys(probes.roundTripsMs), ["east"]);
  assert.ok(!(await counted()).includes('peer="west"'), "nobody measures themselves");

  await server.close();
  await turnsUntil(/unavailable" 3$/m);
  assert.deepEqual(probes.roundTripsMs, {});
  const answered = Number(/answered" (\d+)$/m.exec(await counted())?.[1]);
  await serve("east", Number(address.split(":")[1]));
  await turnsUntil(new RegExp(`answered" ${answered + 1}$`, "m"));
  assert.deepEqual(Object.keys(probes.roundTripsMs), ["east"]);

  const moved = await serve("east");
  probes.hear({ version: "v2", regions: [{ regionId: east, linkAddress: moved.address }] });
  await turnsUntil(new RegExp(`answered" ${answered + 2}$`, "m"));
});

test("whoever has another region's name at that address is not measured", async () => {
  const clock = new FakeClock();
  const metrics = createMetrics({});
  const client = new LinkClient(await identityOf("west"));
  const probes = new PeerProbes({
    regionId: west,
    client,
    periodMs: PERIOD_MS,
    clock,
    log,
    metrics,
  });
  ends.push(() => probes.stop());
  const { address } = await serve("north");
  probes.start();
  probes.hear({ version: "v1", regions: [{ regionId: east, linkAddress: address }] });
  clock.advance(PERIOD_MS);
  const refused = 'peer="east",outcome="unavailable"} 1';
  await until("a refusal", async () => (await metrics.metrics()).includes(refused));
  assert.deepEqual(probes.roundTripsMs, {});
});

test("a period of nothing measures nothing, and asks for no peers", async () => {
  const clock = new FakeClock();
  const client = new LinkClient(await identityOf("west"));
  const metrics = createMetrics({});
  const probes = new PeerProbes({ regionId: west, client, periodMs: 0, clock, log, metrics });
  ends.push(() => probes.stop());
  probes.start();
  assert.deepEqual([probes.version, clock.pending], [undefined, 0]);
});
