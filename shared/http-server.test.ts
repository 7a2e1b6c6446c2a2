/** What a server answers to what never reaches a route. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, suite, test } from "node:test";
import { z } from "zod";
import { ErrorBody } from "./errors.ts";
import { createHttpServer } from "./http-server.ts";
import { createLog } from "./log.ts";

const REQUEST_TIMEOUT_MS = 1_000;
/** With time for a busy machine, and far below the 30 s at which Node looks by itself. */
const SOON_MS = 10_000;
const server = createHttpServer({
  log: createLog("test", "silent"),
  bodyBytesMax: 1_024,
  requestTimeoutMs: REQUEST_TIMEOUT_MS,
});
server.post("/things/:name", { schema: { body: z.object({}) } }, async () => "ok");
await server.listen({ host: "127.0.0.1", port: 0 });
after(() => server.close());
const address = server.server.address();
assert.ok(typeof address === "object" && address);
const { port } = address;

/** Writes `text` and reads until the server closes the connection. */
async function exchange(text: string): Promise<{ answer: string; tookMs: number }> {
  const beganMs = performance.now();
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  let answer = "";
  for await (const bytes of socket) answer += String(bytes);
  return { answer, tookMs: performance.now() - beganMs };
}

function kindIn(answer: string): string {
  const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  return ErrorBody.parse(JSON.parse(body)).error.kind;
}

const urls = { "a wrong escape": "/%zz", "a long parameter": `/things/${"a".repeat(300)}` };
for (const [name, path] of Object.entries(urls)) {
  test(`${name} in the URL gets an error body`, async () => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST" });
    const { error } = ErrorBody.parse(await response.json());
    assert.deepEqual([response.status, error.kind], [400, "bad_request"]);
  });
}

test("headers that are too large get an error body", async () => {
  const { answer } = await exchange(
    `GET / HTTP/1.1\r\nhost: x\r\nx: ${"a".repeat(20_000)}\r\n\r\n`,
  );
  assert.match(answer, /^HTTP\/1\.1 413 Payload Too Large\r\n/);
  assert.equal(kindIn(answer), "payload_too_large");
});

test("what is no HTTP gets an error body", async () => {
  const { answer } = await exchange("HELO example.org\r\n\r\n");
  assert.equal(kindIn(answer), "bad_request");
});

const unfinished = {
  head: "GET / HTTP/1.1\r\nhost: x\r\n",
  body:
    "POST /things/a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" +
    "content-length: 100\r\n\r\n{",
};
suite("who does not go on", { concurrency: true }, () => {
  for (const [part, text] of Object.entries(unfinished)) {
    test(`a request whose ${part} does not end is answered soon after its deadline`, async () => {
      const { answer, tookMs } = await exchange(text);
      assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/);
      assert.equal(kindIn(answer), "request_timeout");
      assert.ok(tookMs < SOON_MS, `${tookMs} ms`);
    });
  }

  test("a connection that says nothing is closed", async () => {
    const { tookMs } = await exchange("");
    assert.ok(tookMs < SOON_MS, `${tookMs} ms`);
  });
});
