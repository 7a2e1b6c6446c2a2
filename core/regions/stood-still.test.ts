/** A process that stood still past its deadlines takes the answers that came meanwhile. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { z } from "zod";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { systemClock } from "../../shared/clock.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";

const DEADLINE_MS = 300;
const ANSWERED_AFTER_MS = 50;
const STANDS_STILL_MS = 700;

/** In a thread of its own, because it answers while this one stands still. */
const PEER = `
const { parentPort, workerData } = require("node:worker_threads");
const { createServer } = require("node:https");
const server = createServer(workerData.tls, (request, response) => {
  request.resume().once("end", () => {
    parentPort.postMessage("asked");
    setTimeout(() => {
      response.setHeader("content-type", "application/json");
      response.end('{"ok":true}');
    }, workerData.afterMs);
  });
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

test("answers that wait in the sockets are read before a deadline counts", async (t) => {
  const authority = await createAuthority();
  const credentials = { ca: authority.caPem, ...(await authority.issue({ role: "core" })) };
  const workerData = { tls: credentials, afterMs: ANSWERED_AFTER_MS };
  const peer = new Worker(PEER, { eval: true, workerData });
  t.after(() => peer.terminate());
  const [port] = await once(peer, "message");
  const client = new LinkClient(new LinkIdentity(credentials), systemClock);
  t.after(() => client.stop());
  const ask = () =>
    client.call({
      address: `127.0.0.1:${port}`,
      peer: { role: "core" },
      path: "/",
      body: {},
      answer: z.object({ ok: z.boolean() }),
      deadlineMs: DEADLINE_MS,
    });
  await ask();
  const asked = once(peer, "message");
  const answer = ask();
  await asked;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STANDS_STILL_MS);
  assert.deepEqual(await answer, { ok: true });
});
