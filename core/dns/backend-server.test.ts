/** The name server's socket: what PowerDNS says, and what nobody should. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { mutatedJson } from "../../shared/json-fuzzer.testkit.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics, type Metrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { parseQuestion, recordsLine, zoneLine } from "./backend-protocol.ts";
import { BackendServer } from "./backend-server.ts";
import type { Zone } from "./zone.ts";

const zone: Zone = {
  zone: "meridian.test",
  play: "play.meridian.test",
  nameServers: [{ host: "ns1.meridian.test", addresses: ["192.0.2.53"] }],
  ttlSeconds: 20,
  negativeTtlSeconds: 5,
  answersMax: 3,
};
const lookup = {
  method: "lookup",
  parameters: {
    local: "0.0.0.0",
    qname: "play.meridian.test.",
    qtype: "ANY",
    "real-remote": "166.111.4.0/24",
    remote: "192.0.2.1",
    "zone-id": -1,
  },
};
const dir = mkdtempSync(join(tmpdir(), "meridian-dns-"));
const path = join(dir, "responder.sock");
const log = createLog("dns", "silent");
const open = new Set<Socket>();
/** Stands still: what happens "at once" does so on a busy machine too. */
const clock: Clock = { ...systemClock, monotonicMs: () => 0 };
let metrics: Metrics;
let lookups = 0;
let server: BackendServer;

function serverAt(at: string, own = createMetrics({ process: "dns" })): BackendServer {
  metrics = own;
  return new BackendServer({
    path: at,
    reply: (question) => {
      if (question.method !== "lookup") return zoneLine(question, zone);
      lookups += 1;
      const { qname } = question;
      return recordsLine([{ qtype: "A", qname, content: "203.0.113.1", ttl: 20, scopeMask: 24 }]);
    },
    clock,
    log,
    metrics,
  });
}

beforeEach(async () => {
  server = serverAt(path);
  await server.start();
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  open.clear();
  await server.stop();
});
after(() => rmSync(dir, { recursive: true, force: true }));

async function connected(): Promise<Socket> {
  const socket = connect(path);
  open.add(socket);
  // What the server closes may arrive as a reset.
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Sends the text and answers what comes back until there are as many lines, or the end. */
async function said(socket: Socket, text: string | Buffer, lines: number): Promise<string[]> {
  let received = "";
  const heard = new Promise<string[]>((resolve) => {
    const done = () => resolve(received.split("\n").slice(0, -1));
    socket.on("data", (chunk) => {
      received += String(chunk);
      if (received.split("\n").length <= lines) return;
      socket.off("close", done);
      done();
    });
    socket.once("close", done);
  });
  socket.write(text);
  return await heard;
}

async function faults(fault: string): Promise<number> {
  const all = (await metrics.getMetricsAsJSON()).find(
    ({ name }) => name === "meridian_dns_backend_faults_total",
  );
  const value = all?.values.find(({ labels }) => labels.fault === fault);
  return value?.value ?? 0;
}

test("questions are answered in order, however they are cut", async () => {
  const socket = await connected();
  const questions = [
    { method: "initialize", parameters: { path } },
    { method: "getAllDomains", parameters: { include_disabled: true } },
    { method: "getDomainInfo", parameters: { name: "Meridian.Test." } },
    { method: "getDomainInfo", parameters: { name: "example.com." } },
    { method: "getAllDomainMetadata", parameters: { name: "meridian.test." } },
    lookup,
  ];
  const text = questions.map((question) => `${JSON.stringify(question)}\n`).join("");
  const [head, tail] = [text.slice(0, 33), text.slice(33)];
  socket.write(head);
  const answers = (await said(socket, tail, questions.length)).map((line) => JSON.parse(line));
  const info = { id: 1, zone: "meridian.test.", kind: "native", serial: 1, masters: [] };
  assert.deepEqual(
    answers.map(({ result }) => result),
    [
      true,
      [info],
      info,
      false,
      false,
      [
        {
          qtype: "A",
          qname: "play.meridian.test.",
          content: "203.0.113.1",
          ttl: 20,
          scopeMask: 24,
        },
      ],
    ],
  );
});

test("the question that PowerDNS asks twice is decided once, and never a third time", async () => {
  const socket = await connected();
  const before = lookups;
  const line = `${JSON.stringify(lookup)}\n`;
  const answers = await said(socket, line.repeat(5), 5);
  assert.equal(new Set(answers).size, 1);
  assert.equal(lookups - before, 3);
});

test("a line without end, and lines that are no questions, end the connection and nothing else", async () => {
  const patient = await connected();
  const long = await connected();
  assert.deepEqual(await said(long, "x".repeat(5_000), 1), []);
  assert.equal(await faults("line too long"), 1);
  const wrong = await connected();
  const lines = await said(wrong, 'what?\n[]\n{"method":5}\n{}\n', 9);
  assert.deepEqual(lines, ['{"result":false}', '{"result":false}']);
  assert.equal(await faults("not a question"), 3);
  const half = await connected();
  half.end('{"method":"look');
  await once(half, "close");
  assert.equal((await said(patient, `${JSON.stringify(lookup)}\n`, 1)).length, 1);
});

test("whoever does not read is not served further, and costs nothing for it", async () => {
  const deaf = await connected();
  deaf.pause();
  const line = `${JSON.stringify(lookup)}\n`;
  // 4 MB: several times what the system's buffers take, and 64 turns of a server that would read it all.
  deaf.write(line.repeat(20_000));
  const other = await connected();
  for (let turn = 0; turn < 200; turn += 1) {
    assert.equal((await said(other, line, 1)).length, 1);
    other.removeAllListeners("data");
  }
  assert.ok(deaf.writableLength > 0);
});

test("connections are bounded, and those that were refused can come again", async () => {
  const many = await Promise.all(Array.from({ length: 300 }, () => connected()));
  await until("some are refused", async () => (await faults("too many connections")) >= 44);
  for (const socket of many) socket.destroy();
  await until("one is let in", async () => {
    const socket = await connected();
    return (await said(socket, `${JSON.stringify(lookup)}\n`, 1)).length === 1;
  });
});

test("only its owner and group may ask", () => {
  assert.equal(statSync(path).mode & 0o777, 0o660);
});

test("a socket that was left is replaced; one in use, a file and a long path are named", async () => {
  const left = join(dir, "left.sock");
  const listen = `net.createServer().listen(${JSON.stringify(left)}, () => console.log("up"))`;
  const killed = spawn(process.execPath, ["-e", listen], { stdio: ["ignore", "pipe", "inherit"] });
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  assert.ok(statSync(left).isSocket());
  const next = serverAt(left);
  await next.start();
  await next.stop();
  await assert.rejects(serverAt(path).start(), /another responder listens on .*: set DNS_SOCKET/);
  const file = join(dir, "precious");
  writeFileSync(file, "kept");
  chmodSync(file, 0o600);
  await assert.rejects(serverAt(file).start(), /precious is no socket/);
  assert.equal(statSync(file).size, 4);
  await assert.rejects(serverAt(join(dir, "x".repeat(100))).start(), /too long for a socket/);
});

test(`nothing that is nearly a question is taken for one or does harm (seed ${testSeed()})`, async () => {
  const chance = new Chance(testSeed());
  const methods = ["lookup", "getDomainInfo", "initialize", "startTransaction"];
  for (let round = 0; round < cases(2_000, 200_000); round += 1) {
    const method = methods[chance.below(methods.length)];
    const text = mutatedJson({ ...lookup, method }, chance).replaceAll("\n", " ");
    const question = parseQuestion(text);
    if (question?.method !== "lookup") continue;
    assert.ok(question.qname.length <= 1_024);
    assert.equal(typeof question.qtype, "string");
  }
  const socket = await connected();
  const noise = Buffer.from(Array.from({ length: 20_000 }, () => chance.below(256)));
  await said(socket, noise, 1_000);
  const other = await connected();
  assert.equal((await said(other, `${JSON.stringify(lookup)}\n`, 1)).length, 1);
});
