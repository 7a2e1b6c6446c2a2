/** A stream that would begin while its server ends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { createHttpServer } from "../../shared/http-server.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { TestCore } from "./test-core.ts";
import { acceptUpgrade, serveUpgrades, type Upgrade } from "./upgrades.ts";

const PROTOCOL = "test-stream";
const core = await TestCore.start();
after(() => core.stop());

test("a connection that asks for a stream while the server ends gets none, and holds up nothing", async () => {
  const identity = new LinkIdentity(await core.credentialsOf("west"));
  const server = createHttpServer({
    log: createLog("region", "silent"),
    bodyBytesMax: 1_024,
    requestTimeoutMs: 5_000,
    mutualTls: identity,
  });
  const taken: Upgrade[] = [];
  const take = (upgrade: Upgrade) => {
    taken.push(upgrade);
    acceptUpgrade(upgrade.socket, PROTOCOL);
  };
  serveUpgrades(server, new Map([["/stream", { protocol: PROTOCOL, take }]]));
  // It comes once those that are open were ended, and before the server waits for what is left.
  let late: TLSSocket | undefined;
  server.addHook("preClose", async () => {
    late?.write(`upgrade: ${PROTOCOL}\r\nconnection: Upgrade\r\n\r\n`);
    if (late) await once(late, "close");
  });
  await server.listen({ host: "127.0.0.1", port: 0 });
  const address = server.server.address();
  assert.ok(typeof address === "object" && address);
  const credentials = await core.credentialsOf("east");
  late = connect({
    ...credentials,
    port: address.port,
    host: "127.0.0.1",
    checkServerIdentity: () => undefined,
  });
  late.on("error", () => undefined);
  await once(late, "secureConnect");
  late.write("GET /stream HTTP/1.1\r\nhost: west\r\n");
  await server.close();
  assert.deepEqual(taken, []);
});
