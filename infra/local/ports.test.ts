import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { RegionId } from "../../shared/ids.ts";
import { quietPorts } from "../../test/quiet-ports.ts";
import { type PartPorts, planPorts } from "./ports.ts";

const beijing = RegionId.parse("beijing");
const tianjin = RegionId.parse("tianjin");
const host = "127.0.0.1";

const portsOf = ({ listen, link, private: own }: PartPorts) => [listen, link, own];

test("from a base the ports are where the documents say", async () => {
  const portBase = 9_300;
  const plan = await planPorts({ portBase, regionIds: [beijing, tianjin], proxied: false, host });
  assert.deepEqual(portsOf(plan.core), [9_300, 9_301, 9_302]);
  const regions = [...plan.regions.values()].map(portsOf);
  assert.deepEqual(regions, [
    [9_410, 9_411, 9_412],
    [9_420, 9_421, 9_422],
  ]);
  assert.equal(plan.core.public, 9_300);
});

test("the name server has ports of its own only where there is one", async () => {
  const portBase = 9_300;
  const regionIds = [beijing];
  const without = await planPorts({ portBase, regionIds, proxied: false, host });
  assert.equal(without.nameServer, undefined);
  const plan = await planPorts({ portBase, regionIds, proxied: false, host, dns: true });
  assert.deepEqual(plan.nameServer, { dns: 9_353, private: 9_354 });
});

test("behind proxies players find the same ports, and the processes listen elsewhere", async () => {
  const plan = await planPorts({ portBase: 9_300, regionIds: [beijing], proxied: true, host });
  assert.equal(plan.core.public, 9_300);
  assert.notEqual(plan.core.listen, 9_300);
});

test("from base 0 all ports are free and different", async () => {
  const regionIds = [beijing, tianjin];
  const plan = await planPorts({ portBase: 0, regionIds, proxied: true, host });
  const all = [plan.core, ...plan.regions.values()].flatMap((part) => [
    ...portsOf(part),
    part.public,
  ]);
  assert.equal(new Set(all).size, 12);
  assert.ok(all.every((port) => port > 0));
});

test("a port in use is named, with whose it is and what to do", async () => {
  const portBase = await quietPorts(140);
  const squatter = createServer().listen(portBase + 111, host);
  await new Promise((resolve) => squatter.once("listening", resolve));
  try {
    await assert.rejects(
      planPorts({ portBase, regionIds: [beijing], proxied: false, host }),
      new RegExp(`port ${portBase + 111}, for region beijing, is in use: .* --port-base N`),
    );
  } finally {
    squatter.close();
  }
});
