/**
 * The name server as resolvers meet it: real PowerDNS with the remote backend, asked by real `dig`, in
 * front of a responder that follows a real core over mutual TLS.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import {
  skipWithoutDns,
  startTestResponder,
  type TestResponder,
} from "../../core/dns/test-responder.ts";
import { GeoLocator } from "../../core/gslb/geo-locator.ts";
import { onSphere } from "../../core/gslb/great-circle.ts";
import { rank } from "../../core/gslb/ranking.ts";
import { Topology } from "../../core/regions/topology.ts";
import { OPERATOR_TOKEN, startTestCore, type TestCore } from "../../core/test-core.ts";
import { startTestRegion, type TestRegion } from "../../core/test-region.ts";
import { findPdnsServer, startPdns } from "../../infra/dns/server.ts";
import { freePort } from "../../infra/process/port.ts";
import type { ServerProcess } from "../../infra/process/server-process.ts";
import {
  answer as dnsAnswer,
  question as dnsQuestion,
} from "../../loadtest/k6/engine/dns-message.ts";
import { startDnsGateway } from "../../loadtest/load/dns-gateway.ts";
import { Chance, testSeed } from "../../shared/chance.testkit.ts";
import { until } from "../until.ts";

const skip = skipWithoutDns();
const run = promisify(execFile);
const PLAY = "play.meridian.test";
const THREADS = 8;
const GARBAGE_PACKETS = 500;
const GARBAGE_BYTES_MAX = 600;

const topology = Topology.parse({
  core: { name: "Shanghai", latitude: 31.23, longitude: 121.47 },
  regions: [
    place("beijing", 39.9, 116.4),
    place("shanghai", 31.23, 121.47),
    place("frankfurt", 50.11, 8.68),
    place("virginia", 38.95, -77.45),
    place("sao-paulo", -23.55, -46.63),
    place("johannesburg", -26.2, 28.05),
    place("sydney", -33.87, 151.21),
  ].map((region, index) => ({
    ...region,
    publicAddresses: [`203.0.113.${index + 1}`, `2001:db8:${index + 1}::1`],
  })),
});

function place(id: string, latitude: number, longitude: number) {
  return { id, name: id, latitude, longitude, capacity: 100 };
}

/** Networks that geo-IP knows, most of universities, with the region that is theirs by any map. */
const PLACES: readonly [subnet: string, region: string][] = [
  ["159.226.0.0/16", "beijing"],
  ["202.120.2.0/24", "shanghai"],
  ["133.11.0.0/16", "shanghai"],
  ["129.132.0.0/16", "frankfurt"],
  ["163.1.4.77/32", "frankfurt"],
  ["18.9.0.0/16", "virginia"],
  ["143.107.0.0/16", "sao-paulo"],
  ["146.141.8.0/24", "johannesburg"],
  ["128.250.0.0/16", "sydney"],
  ["2001:250::/32", "beijing"],
  ["2001:700::/32", "frankfurt"],
  ["2001:620:10:20::/64", "frankfurt"],
  // Private ones, documentation and what is nobody's: the core's place.
  ["10.1.2.0/24", "shanghai"],
  ["192.168.0.0/16", "shanghai"],
  ["198.51.100.0/24", "shanghai"],
  ["fd00::/48", "shanghai"],
  ["2001:db8::/32", "shanghai"],
];

const dir = mkdtempSync(join(tmpdir(), "meridian-dns-e2e-"));
const topologyFile = join(dir, "topology.json");
writeFileSync(topologyFile, JSON.stringify(topology));
let core: TestCore;
let regions: TestRegion[] = [];
let responder: TestResponder | undefined;
let pdns: ServerProcess | undefined;
let port = 0;

before(async () => {
  if (skip) return;
  core = await startTestCore({ TOPOLOGY_FILE: topologyFile });
  regions = await Promise.all(
    topology.regions.map(({ id: name }) => startTestRegion({ core, name })),
  );
  await Promise.all(regions.map((region) => region.beat()));
  responder = await startTestResponder(core, dir);
  port = await freePort();
  pdns = await startPdns({
    dir: join(dir, "pdns"),
    serverPath: findPdnsServer(process.env),
    address: "127.0.0.1",
    port,
    responderSocket: responder.socket,
    zone: "meridian.test",
  });
  await until("it has a view", () => responder?.status().view === "live");
});
after(async () => {
  await pdns?.stop();
  await responder?.stop();
  await Promise.all(regions.map((region) => region.stop()));
  // The last tests have stopped it, unless one before them failed.
  await core?.stop().catch(() => {});
  rmSync(dir, { recursive: true, force: true });
});

interface Dug {
  readonly status: string;
  readonly answers: readonly string[];
  readonly authority: string;
  /** `address/source/scope`. */
  readonly subnet: string | undefined;
  readonly text: string;
}

async function dig(...args: string[]): Promise<Dug> {
  const [dug] = await digAll([args]);
  assert.ok(dug);
  return dug;
}

/** By one program: starting one costs far more than a question. */
async function digAll(questions: readonly (readonly string[])[]): Promise<Dug[]> {
  const at = ["@127.0.0.1", "-p", `${port}`];
  const own = ["+tries=1", "+time=5", "+norecurse"];
  const args = questions.flatMap((question) => [...question, ...own]);
  const { stdout } = await run("dig", [...at, ...args], { timeout: 30_000 });
  const parts = stdout.split(/(?=;; Got answer:)/);
  // Before the first may stand the command; a transfer that is refused has nothing else.
  const answers = parts.filter((part) => part.startsWith(";; Got answer:"));
  return (answers.length > 0 ? answers : parts).map(dugFrom);
}

function dugFrom(text: string): Dug {
  const section = (name: string) => new RegExp(`;; ${name} SECTION:\n([^]*?)\n\n`).exec(text)?.[1];
  return {
    status: /status: (\w+)/.exec(text)?.[1] ?? "none",
    answers: section("ANSWER")?.split("\n").map(plain) ?? [],
    authority: plain(section("AUTHORITY") ?? ""),
    subnet: /CLIENT-SUBNET: (\S+)/.exec(text)?.[1],
    text,
  };
}

/** Fields of a record with one blank between. */
function plain(record: string): string {
  return record.trim().split(/\s+/).join(" ");
}

function addressesOf(id: string): readonly string[] {
  return topology.regions.find((region) => region.id === id)?.publicAddresses ?? [];
}

/** Which region's address a name has for somebody in that subnet; `A` unless told otherwise. */
async function regionFor(subnet: string): Promise<string | undefined> {
  const { answers } = await dig(PLAY, "A", `+subnet=${subnet}`);
  const address = answers[0]?.split(" ").at(-1) ?? "";
  return topology.regions.find(({ publicAddresses }) => publicAddresses.includes(address))?.id;
}

/** Waits until each of PowerDNS' threads has found the new responder: its first question is lost. */
async function answered(zone: string): Promise<void> {
  let inARow = 0;
  await until("every thread is answered", async () => {
    inARow = (await dig(zone, "SOA")).answers.length === 1 ? inARow + 1 : 0;
    return inARow >= THREADS;
  });
}

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

test("players on every continent get the region that the ranking gives them", {
  skip,
}, async () => {
  const locator = new GeoLocator([], topology.core);
  await locator.start();
  const candidates = topology.regions.map((spec) => ({
    regionId: spec.id,
    point: onSphere(spec),
    weight: 1,
    obstacle: undefined,
    full: false,
    fullness: 0,
    utilisation: 0,
    loadMs: 0,
  }));
  const questions = PLACES.flatMap(([subnet]) => [
    [PLAY, "A", `+subnet=${subnet}`],
    [PLAY, "AAAA", `+subnet=${subnet}`],
  ]);
  const answers = await digAll(questions);
  assert.equal(answers.length, questions.length);
  for (const [index, [subnet, expected]] of PLACES.entries()) {
    const [address = "", prefix = ""] = subnet.split("/");
    const [best] = rank(candidates, { place: locator.locate(address) });
    assert.equal(best?.candidate.regionId, expected, `the ranking for ${subnet}`);
    const [four = "", six = ""] = addressesOf(expected);
    const [a, aaaa] = answers.slice(index * 2);
    const scope = Math.min(Number(prefix), address.includes(":") ? 48 : 24);
    assert.deepEqual(a?.answers, [`${PLAY}. 20 IN A ${four}`], subnet);
    assert.equal(a?.subnet?.split("/").slice(1).join("/"), `${prefix}/${scope}`, subnet);
    assert.deepEqual(aaaa?.answers, [`${PLAY}. 20 IN AAAA ${six}`], subnet);
  }
});

test("who names no subnet counts as the resolver, who names none on purpose too", {
  skip,
}, async () => {
  const four = addressesOf("shanghai")[0];
  const none = await dig(PLAY, "A", "+nosubnet");
  assert.deepEqual([none.subnet, none.answers], [undefined, [`${PLAY}. 20 IN A ${four}`]]);
  const secret = await dig(PLAY, "A", "+subnet=0.0.0.0/0");
  assert.deepEqual([secret.subnet, secret.answers.length], ["0.0.0.0/0/0", 1]);
});

test("the zone is whole: SOA, NS with its address, over TCP too, and nothing else", {
  skip,
}, async () => {
  const soa = "ns1.meridian.test. hostmaster.meridian.test. 1 3600 600 86400 5";
  const transfer = await dig("meridian.test", "AXFR");
  const dugs = await digAll([
    ["meridian.test", "SOA", "+subnet=159.226.0.0/16"],
    ["meridian.test", "NS"],
    ["NS1.meridian.TEST", "A"],
    [PLAY, "ANY", "+tcp", "+subnet=159.226.0.0/16"],
    ["nope.meridian.test", "A"],
    [PLAY, "MX"],
    ["ns1.meridian.test", "AAAA"],
    ["example.com", "A"],
    ["version.bind", "CH", "TXT"],
  ]);
  const [soaAnswer, ns, own, tcp, nothing, noType, noSix, foreign, version] = dugs;
  assert.ok(soaAnswer && ns && own && tcp && nothing && noType && noSix && foreign && version);
  assert.deepEqual(soaAnswer.answers, [`meridian.test. 5 IN SOA ${soa}`]);
  assert.equal(soaAnswer.subnet, "159.226.0.0/16/0");
  assert.match(soaAnswer.text, /flags: qr aa/);
  assert.deepEqual(ns.answers, ["meridian.test. 20 IN NS ns1.meridian.test."]);
  assert.deepEqual(own.answers, ["NS1.meridian.TEST. 20 IN A 127.0.0.1"]);
  assert.deepEqual(
    tcp.answers.map((record) => record.split(" ").at(-1)).sort(),
    [...addressesOf("beijing")].sort(),
  );
  for (const [dug, status] of [
    [nothing, "NXDOMAIN"],
    [noType, "NOERROR"],
    [noSix, "NOERROR"],
  ] as const) {
    assert.deepEqual([dug.status, dug.answers], [status, []]);
    assert.equal(dug.authority, `meridian.test. 5 IN SOA ${soa}`);
  }
  assert.equal(foreign.status, "REFUSED");
  assert.doesNotMatch(version.text, /PowerDNS/i);
  assert.match(transfer.text, /Transfer failed/);
});

test("a drained and a fenced region leave the answers, and come back", { skip }, async () => {
  const zurich = "129.132.0.0/16";
  assert.equal(await regionFor(zurich), "frankfurt");
  await operate("POST", "frankfurt/wanted", { state: "draining" });
  await until("the drain is seen", async () => (await regionFor(zurich)) === "virginia");
  await operate("POST", "virginia/fence");
  await until("the fence is seen", async () => (await regionFor(zurich)) === "beijing");
  await operate("DELETE", "virginia/fence");
  await operate("POST", "frankfurt/wanted", { state: "active" });
  await until("it is back", async () => (await regionFor(zurich)) === "frankfurt");
});

test("through the gateway of the load tests the same is answered", { skip }, async () => {
  const gateway = await startDnsGateway({ host: "127.0.0.1", port });
  const asked = PLACES.filter(([subnet]) => !subnet.includes(":"));
  try {
    for (const [id, [subnet, expected]] of asked.entries()) {
      const response = await fetch(gateway.url, {
        method: "POST",
        headers: { "content-type": "application/dns-message" },
        body: dnsQuestion({ id, name: PLAY, subnet }),
        signal: AbortSignal.timeout(5_000),
      });
      const found = dnsAnswer(await response.arrayBuffer());
      const { publicAddresses } = topology.regions.find((region) => region.id === expected) ?? {};
      assert.deepEqual([found.id, found.code], [id, 0]);
      assert.deepEqual(found.addresses, publicAddresses?.slice(0, 1), subnet);
    }
  } finally {
    await gateway.stop();
  }
});

test("with all regions closed there is no answer, and soon another question", {
  skip,
}, async () => {
  const close = (state: string) =>
    topology.regions.map(({ id }) => operate("POST", `${id}/wanted`, { state }));
  await Promise.all(close("draining"));
  await until("none is given", async () => (await dig(PLAY, "A")).answers.length === 0);
  const { status, authority } = await dig(PLAY, "A");
  assert.equal(status, "NOERROR");
  assert.match(authority, /^meridian.test. 5 IN SOA .* 5$/);
  const metrics = await (await fetch(`${responder?.privateUrl}/metrics`)).text();
  assert.match(metrics, /meridian_dns_lookups_total\{outcome="closed",process="dns"\} [1-9]/);
  await Promise.all(close("active"));
  await until("one is given", async () => (await dig(PLAY, "A")).answers.length === 1);
});

test(`packets that are no questions do no harm (seed ${testSeed()})`, { skip }, async () => {
  const chance = new Chance(testSeed());
  const socket = createSocket("udp4");
  const question = Buffer.from("0102000000010000000000000470 6c6179".replaceAll(" ", ""), "hex");
  for (let sent = 0; sent < GARBAGE_PACKETS; sent += 1) {
    const noise = Array.from({ length: chance.below(GARBAGE_BYTES_MAX) }, () => chance.below(256));
    // Half of them begin as a question does.
    const packet = Buffer.concat([
      chance.float() < 0.5 ? question : Buffer.alloc(0),
      Buffer.from(noise),
    ]);
    await new Promise<void>((resolve) => socket.send(packet, port, "127.0.0.1", () => resolve()));
  }
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  assert.equal(await regionFor("128.250.0.0/16"), "sydney");
});

test("without the core the answers stay, also for places that never asked", { skip }, async () => {
  await core.stop();
  assert.equal(await regionFor("129.132.0.0/16"), "frankfurt");
  assert.equal(await regionFor("41.89.0.0/16"), "johannesburg");
  await responder?.stop();
  assert.equal((await dig(PLAY, "A")).status, "SERVFAIL");
  responder = await startTestResponder(core, dir);
  assert.equal(responder.status().view, "kept");
  await answered("meridian.test");
  assert.equal(await regionFor("18.9.0.0/16"), "virginia");
  const ready = await fetch(`${responder.privateUrl}/readyz`);
  assert.deepEqual([ready.status, (await ready.json()).view], [200, "kept"]);
});

test("with neither core nor kept view nothing wrong is said", { skip }, async () => {
  await responder?.stop();
  rmSync(join(dir, "view.json"));
  responder = await startTestResponder(core, dir);
  assert.equal((await fetch(`${responder.privateUrl}/readyz`)).status, 503);
  await answered("meridian.test");
  assert.equal((await dig(PLAY, "A")).status, "SERVFAIL");
  assert.equal((await dig("meridian.test", "SOA")).answers.length, 1);
  assert.equal((await dig("nope.meridian.test", "A")).status, "NXDOMAIN");
});
