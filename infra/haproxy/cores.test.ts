/** A real HAProxy in front of what answers health checks as cores do. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ErrorBody } from "../../shared/errors.ts";
import { until } from "../../test/until.ts";
import { freePorts } from "../process/port.ts";
import { coresConfig, type ProxiedCore } from "./cores.ts";
import { readCores } from "./cores-command.ts";
import { findHaproxy, startHaproxy } from "./server.ts";

const HOST = "127.0.0.1";
const dir = mkdtempSync(join(tmpdir(), "meridian-haproxy-"));
const servers: Server[] = [];
/** Of each core: what `/readyz` answers, and with the database left out. */
const health = new Map([
  ["a", { ready: true, alone: true }],
  ["b", { ready: false, alone: false }],
]);
const cores = await Promise.all([...health.keys()].map(startCore));
const [players = 0, link = 0, ops = 0] = await freePorts(3);
const haproxy = await startHaproxy({
  dir,
  serverPath: findHaproxy(process.env),
  config: coresConfig(cores, {
    bind: `${HOST}:${players}`,
    linkBind: `${HOST}:${link}`,
    opsBind: `${HOST}:${ops}`,
    connectionsMax: 100,
  }),
  isReady,
  onSpawned: () => {},
});
after(async () => {
  await haproxy.stop();
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
  rmSync(dir, { recursive: true });
});

/** Each core counts as ready until HAProxy has looked at it, and two take turns. */
async function isReady(): Promise<boolean> {
  for (const port of [players, link, ops]) {
    for (let turn = 0; turn < 3; turn += 1) if ((await who(port)) !== "a") return false;
  }
  return true;
}

/** One server stands for all three of a core. */
async function startCore(name: string): Promise<ProxiedCore> {
  const server = createServer((request, response) => {
    const { ready, alone } = health.get(name) ?? { ready: false, alone: false };
    if (request.url?.startsWith("/readyz")) {
      const good = request.url.includes("exclude=database") ? alone : ready;
      response.statusCode = good ? 200 : 503;
      response.end();
    } else if (request.url === "/forwarded") response.end(request.headers["x-forwarded-for"]);
    // Held open, as a poll of the queue is.
    else if (request.url !== "/held") response.end(name);
  });
  server.listen(0, HOST);
  await once(server, "listening");
  servers.push(server);
  const { port } = server.address() as AddressInfo;
  return { name, host: HOST, port, linkPort: port, privatePort: port };
}

async function who(port: number): Promise<string> {
  try {
    const answer = await fetch(`http://${HOST}:${port}/`, { signal: AbortSignal.timeout(1_000) });
    return await answer.text();
  } catch {
    // It does not listen yet, or was cut.
    return "";
  }
}

function lead(a: string, b: string): void {
  const of = (word: string) => ({ ready: word === "ready", alone: word !== "no" });
  health.set("a", of(a));
  health.set("b", of(b));
}

test("all goes to the core that leads, and connections to a former one are closed", async () => {
  for (const port of [players, link, ops]) assert.equal(await who(port), "a");
  const forwarded = await fetch(`http://${HOST}:${players}/forwarded`);
  assert.equal(await forwarded.text(), HOST);
  const idle = connect(link, HOST);
  // HAProxy answers it with an error, or closes, as it does where the client may have sent it on a used connection.
  const poll = fetch(`http://${HOST}:${players}/held`).then(
    (answer) => answer.status,
    () => "closed" as const,
  );
  await once(idle, "connect");
  lead("no", "ready");
  await Promise.all([
    once(idle, "close"),
    poll.then((end) => assert.ok(end === "closed" || end >= 500)),
  ]);
  for (const port of [players, link, ops]) {
    await until("the other has it", async () => (await who(port)) === "b");
  }
});

test("with no core ready the one that leads as far as it knows goes on; with none of that, a typed failure", async () => {
  lead("no", "alone");
  await until("it is still there", async () => (await who(players)) === "b");
  lead("ready", "alone");
  await until("one that is ready goes before", async () => (await who(players)) === "a");
  lead("no", "no");
  const refused = await until("nobody is there", async () => {
    const answer = await fetch(`http://${HOST}:${players}/`);
    return answer.status === 503 ? ErrorBody.parse(await answer.json()) : undefined;
  });
  assert.deepEqual([refused.error.kind, refused.error.retryable], ["unavailable", true]);
});

test("cores are named on the command line", () => {
  assert.deepEqual(readCores(["a=10.0.0.1", "b=core.example:1:2:3"]), [
    { name: "a", host: "10.0.0.1", port: 7_300, linkPort: 7_301, privatePort: 7_302 },
    { name: "b", host: "core.example", port: 1, linkPort: 2, privatePort: 3 },
  ]);
  assert.throws(() => readCores([]), /--core NAME=HOST is missing/);
  assert.throws(() => readCores(["a b=x"]), /is not NAME=HOST/);
  assert.throws(() => readCores(["a=x", "a=y"]), /two cores have one name/);
});
