/** A database that takes connections and then does not answer, as one does whose machine swaps. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, suite, test } from "node:test";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { Database } from "./database.ts";

/** AuthenticationOk and ReadyForQuery: PostgreSQL's answer to a start-up message. */
const WELCOME = Buffer.from("5200000008000000005a0000000549", "hex");

/** @param answers how many messages of a connection are answered, with `WELCOME` */
async function startHangingServer(answers: number) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let left = answers;
    socket.on("error", () => {
      // The client gave up, which is what the test waits for.
    });
    socket.on("data", () => {
      if (left > 0) socket.write(WELCOME);
      left -= 1;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === "object" && address);
  const { port } = address;
  let own = 0;
  /** How often it was connected to. They are taken in order: one of our own is seen after all that began before. */
  const connections = async () => {
    const socket = connect(port, "127.0.0.1");
    own += 1;
    await once(socket, "connect");
    const isSeen = () => sockets.some(({ remotePort }) => remotePort === socket.localPort);
    await until("our own connection is seen", isSeen);
    return sockets.length - own;
  };
  return { url: `postgresql://nobody@127.0.0.1:${port}/none`, sockets, connections };
}

function databaseAt(url: string, startDeadlineMs: number, clock: Clock = systemClock): Database {
  return new Database({
    url,
    ownerUrl: url,
    connectionsMax: 1,
    startDeadlineMs,
    migrations: [],
    clock,
    log: createLog("test", "silent"),
    metrics: createMetrics({}),
  });
}

suite("a start of a core", { concurrency: true }, () => {
  test("one that hangs before the log-in is tried again until the deadline, and named", async () => {
    const { url, sockets } = await startHangingServer(0);
    const started = databaseAt(url, 2_500).start();
    await Promise.all([
      assert.rejects(started, /^Error: no database within 2500 ms \(DATABASE_URL\): /),
      until("a second try", () => sockets.length === 2),
    ]);
  });

  test("one that hangs after the log-in does not hold up a start for ever", async () => {
    const { url } = await startHangingServer(1);
    const started = databaseAt(url, 0).start();
    await assert.rejects(started, /^Error: no database within 0 ms \(DATABASE_URL\): /);
  });
});

test("calls to one that hangs fail at once after a few, but for one now and then", async () => {
  const { url, connections } = await startHangingServer(0);
  const clock = new FakeClock();
  const database = databaseAt(url, 0, clock);
  const unavailable = (error: unknown) => isFailure(error, "unavailable");
  const call = () => assert.rejects(database.rows("select 1"), unavailable);
  await Promise.all(Array.from({ length: 5 }, call));
  const tried = await connections();
  for (let n = 0; n < 50; n += 1) await call();
  assert.equal(await connections(), tried, "nobody has asked it");
  clock.advance(500);
  await Promise.all([call(), call()]);
  assert.equal(await connections(), tried + 1, "it is asked again, once");
  await database.stop();
});
