/** What a node sees of others that are gone, stand still, or are well, asked over the link. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { NodeId } from "../../shared/ids.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import type { Saw } from "../../shared/protocol/failover.ts";
import { WitnessAnswer } from "../../shared/protocol/failover.ts";
import { until } from "../../test/until.ts";
import { createLinkServer } from "../link/link-server.ts";
import { TEST_REGION, TestCore } from "../link/test-core.ts";
import { TestNode } from "../transport/test-node.ts";
import { Witness } from "./witness.ts";

const core = await TestCore.start();
const { matchmaker } = new TestNode({ games: {} });
const metrics = createMetrics({});
const clock = systemClock;
const witness = new Witness({ identity: core.regionIdentity, clock, metrics });
const server = createLinkServer({
  identity: core.regionIdentity,
  matchmaker,
  onWanted() {},
  wanted() {},
  onFenced() {},
  witness,
  upgrades: new Map(),
  log: createLog("region", "silent"),
});
await server.listen({ host: "127.0.0.1", port: 0 });
const { port } = server.server.address() as { port: number };
const address = `127.0.0.1:${port}`;
const asCore = new LinkClient(core.coreIdentity);
const asRegion = new LinkClient(new LinkIdentity(await core.credentialsOf("west")));
const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends.reverse()) await end();
  await Promise.all([asCore.stop(), asRegion.stop()]);
  await server.close();
  await core.stop();
});

async function ask(linkAddress: string, client = asCore): Promise<Saw> {
  const about = { nodeId: NodeId.parse("east-1"), linkAddress };
  const peer = { role: "region", regionId: TEST_REGION } as const;
  const call = { address, peer, path: "/link/witness", answer: WitnessAnswer, deadlineMs: 10_000 };
  return (await client.call({ ...call, body: { about } })).saw;
}

async function looks(saw: Saw): Promise<number> {
  const metric = await metrics.getSingleMetric("meridian_region_looks_total")?.get();
  return metric?.values.find(({ labels }) => labels.saw === saw)?.value ?? 0;
}

/** A process that accepts connections, as the kernel does for it while it stands still. */
async function listener(): Promise<{ address: string; pid: number; end: () => Promise<void> }> {
  const code =
    "const s=require('net').createServer(()=>{});" +
    "s.listen(0,'127.0.0.1',()=>console.log(s.address().port));" +
    "process.stdin.on('end',()=>process.exit()).resume()";
  const child = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  ends.push(end);
  return { address: `127.0.0.1:${Number(line)}`, pid: child.pid ?? 0, end };
}

test("a node that is well answers, one that stands still is silent, one that ended refuses", async () => {
  assert.equal(await ask(core.address), "answers");
  const child = await listener();
  process.kill(child.pid, "SIGSTOP");
  assert.equal(await ask(child.address), "silent");
  await child.end();
  assert.equal(await ask(child.address), "refused");
});

test("one look at a time at a node is shared by all who ask", async () => {
  const before = await looks("refused");
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const { port: waitingPort } = server.address() as { port: number };
  const about = { nodeId: NodeId.parse("east-1"), linkAddress: `127.0.0.1:${waitingPort}` };
  for (const connections of [1, 2]) {
    const looking = Array.from({ length: 20 }, () => witness.look(about));
    await until("a connection", () => sockets.length === connections);
    for (const socket of sockets) socket.destroy();
    assert.deepEqual(new Set(await Promise.all(looking)), new Set(["refused"]));
    assert.equal(sockets.length, connections);
    assert.equal(await looks("refused"), before + connections);
  }
});

test("only the core asks", async () => {
  await assert.rejects(ask(core.address, asRegion), { kind: "forbidden" });
});
