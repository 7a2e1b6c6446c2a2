/** `npm start -- --dns`: the local world's own name server, and that it comes back. */
import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { test } from "node:test";
import { skipWithoutDns } from "../../core/dns/test-responder.ts";
import { isAlive } from "../../infra/process/pid.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";

const skip = skipWithoutDns();
const world = skip ? undefined : worldForTests({ regions: 1, dns: true });

async function addresses(): Promise<string[]> {
  const server = world?.().nameServer;
  assert.ok(server);
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.port}`]);
  // While a part is away there is no answer, or SERVFAIL.
  return await resolver.resolve4(server.play).catch(() => []);
}

test("the region of this machine is answered, and again after PowerDNS was killed", {
  skip,
}, async () => {
  const server = world?.().nameServer;
  assert.ok(server);
  const isAnswered = async () => (await addresses()).includes("203.0.113.11");
  await until("it is answered", isAnswered);
  const { powerDns } = server;
  const { pid = 0 } = powerDns;
  powerDns.kill("SIGKILL");
  await until("it is gone", () => !isAlive(pid));
  await powerDns.restart();
  await until("it is answered again", isAnswered);
});
