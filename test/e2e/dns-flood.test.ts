/** A flood of questions in front of a responder that hangs: the name server drops what is too much, and lives on. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { answer } from "../../core/dns/answer.ts";
import { parseQuestion, recordsLine, zoneLine } from "../../core/dns/backend-protocol.ts";
import { skipWithoutDns } from "../../core/dns/test-responder.ts";
import type { Zone } from "../../core/dns/zone.ts";
import { findPdnsServer, startPdns } from "../../infra/dns/server.ts";
import { freePort } from "../../infra/process/port.ts";
import { until } from "../until.ts";

/** Thrice what makes a PowerDNS without a bound of its own give up. */
const QUESTIONS = 3_000;
/** As many as fit into a socket's buffer. */
const BATCH = 50;
const BATCH_GAP_MS = 5;
/** In the second byte of flags. */
const RCODE = 0x0f;

const zone: Zone = {
  zone: "meridian.test",
  play: "play.meridian.test",
  nameServers: [{ host: "ns1.meridian.test", addresses: ["192.0.2.53"] }],
  ttlSeconds: 20,
  negativeTtlSeconds: 5,
  answersMax: 3,
};
const nowhere = { latitude: 0, longitude: 0, label: "nowhere", source: "default" } as const;
const answering = { zone, regions: undefined, locate: () => nowhere, random: () => 0 };
const dir = mkdtempSync(join(tmpdir(), "meridian-dns-flood-"));
const open = new Set<Socket>();
let hangs = false;
const responder = createServer((socket) => {
  open.add(socket);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    for (const line of String(chunk).split("\n")) {
      const question = parseQuestion(line);
      if (!question || hangs) continue;
      if (question.method !== "lookup") socket.write(zoneLine(question, zone));
      else socket.write(recordsLine(answer(question, answering).records));
    }
  });
});
const asker = createSocket("udp4");
after(() => {
  asker.close();
  for (const socket of open) socket.destroy();
  responder.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A question for an address of a name in the zone. */
function questionFor(label: string, id: number): Buffer {
  const head = Buffer.from([id >> 8, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = [label, "meridian", "test"].map(
    (text) => `${String.fromCharCode(text.length)}${text}`,
  );
  return Buffer.concat([head, Buffer.from(`${labels.join("")}\0`), Buffer.from([0, 1, 0, 1])]);
}

test("a flood before a responder that hangs ends no name server", {
  skip: skipWithoutDns(),
}, async () => {
  const responderSocket = join(dir, "responder.sock");
  await new Promise<void>((resolve) => responder.listen(responderSocket, resolve));
  const port = await freePort();
  const server = await startPdns({
    dir: join(dir, "pdns"),
    serverPath: findPdnsServer(process.env),
    address: "127.0.0.1",
    port,
    responderSocket,
    zone: zone.zone,
  });
  let ended: string | undefined;
  void server.ended.then((how) => {
    ended = how;
  });
  try {
    hangs = true;
    for (let n = 0; n < QUESTIONS; n += 1) {
      asker.send(questionFor(`x${n}`, n), port, "127.0.0.1");
      if (n % BATCH === 0) await sleep(BATCH_GAP_MS);
    }
    hangs = false;
    let answered = false;
    asker.on("message", (packet) => {
      answered ||= packet[1] === 255 && ((packet[3] ?? RCODE) & RCODE) === 0;
    });
    await until("an answer, or the end of the server", () => {
      asker.send(questionFor("ns1", 0x0fff), port, "127.0.0.1");
      return answered || ended !== undefined;
    });
    assert.equal(ended, undefined);
  } finally {
    await server.stop();
  }
});
