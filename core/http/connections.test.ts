/** Connections that bring nothing: too many of them, or without a TLS handshake. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { createHttpServer } from "../../shared/http-server.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { until } from "../../test/until.ts";
import { startTestCore } from "../test-core.ts";

const core = await startTestCore({ CORE_CONNECTIONS_MAX: "2" });
const sockets: Socket[] = [];
after(async () => {
  for (const socket of sockets) socket.destroy();
  await core.stop();
});

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => {
    // Closed by the server, which is what these tests wait for.
  });
  await once(socket, "connect");
  return socket;
}

test("players' connections past the limit are closed and counted", async () => {
  const port = Number(new URL(core.url).port);
  const measured = async () => {
    const text = await (await fetch(`${core.privateUrl}/metrics`)).text();
    return text.match(/^meridian_http_connections.*/gm)?.map((line) => line.replace(/\{.*\}/, ""));
  };
  await open(port);
  const second = await open(port);
  const third = await open(port);
  if (!third.closed) await once(third, "close");
  assert.deepEqual(await measured(), [
    "meridian_http_connections_refused_total 1",
    "meridian_http_connections 2",
  ]);
  second.destroy();
  await until("the second is gone", async () => (await measured())?.[1]?.endsWith(" 1"));
  assert.equal((await fetch(`${core.url}/v1/regions`)).status, 200);
});

test("a connection that never begins its TLS handshake is closed", async () => {
  const authority = await createAuthority();
  const issued = await authority.issue({ role: "core" });
  const server = createHttpServer({
    log: createLog("test", "silent"),
    bodyBytesMax: 1_024,
    requestTimeoutMs: 500,
    mutualTls: new LinkIdentity({ ca: authority.caPem, ...issued }),
  });
  await server.listen({ host: "127.0.0.1", port: 0 });
  const address = server.server.address();
  assert.ok(typeof address === "object" && address);
  const beganMs = performance.now();
  const socket = await open(address.port);
  if (!socket.closed) await once(socket, "close");
  assert.ok(performance.now() - beganMs < 10_000, "not Node's own 120 s");
  await server.close();
});
