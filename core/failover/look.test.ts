import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { after, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { look } from "../../shared/link/look.ts";

const authority = await createAuthority();
const issue = async (region: string) => {
  const peer = { role: "region", regionId: RegionId.parse(region) } as const;
  return { ca: authority.caPem, ...(await authority.issue(peer)) };
};
const identity = new LinkIdentity(await issue("beijing"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
}

const see = (address: string, deadlineMs = 5_000) =>
  look({ address, identity, clock: systemClock, deadlineMs });

test("a process that finishes a handshake answers, whoever it is", async () => {
  const options = { ...(await issue("shanghai")), requestCert: true, rejectUnauthorized: true };
  const errors: Error[] = [];
  const server = createTlsServer(options, (socket) => socket.on("error", (e) => errors.push(e)));
  server.on("tlsClientError", (error) => errors.push(error));
  assert.equal(await see(await listen(server)), "answers");
  const other = await createAuthority();
  const peer = { role: "core" } as const;
  const stranger = createTlsServer({ ca: other.caPem, ...(await other.issue(peer)) });
  assert.equal(await see(await listen(stranger)), "answers");
  assert.deepEqual(errors, []);
});

test("nobody listens, or whoever accepts resets or ends: refused", async () => {
  const gone = createServer();
  const address = await listen(gone);
  await new Promise((resolve) => gone.close(resolve));
  assert.equal(await see(address), "refused");
  const resets = createServer((socket) => void socket.resetAndDestroy());
  assert.equal(await see(await listen(resets)), "refused");
  const ends = createServer((socket) => void socket.on("error", () => undefined).end());
  assert.equal(await see(await listen(ends)), "refused");
});

test("nothing comes in time: silent", async () => {
  const sockets = new Set<{ destroy(): unknown }>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
  });
  assert.equal(await see(await listen(server), 50), "silent");
  assert.equal(await see("no-such-host.invalid:1"), "silent");
  for (const socket of sockets) socket.destroy();
});
