/** For tests: a pair of real servers in a temporary folder, with a link between them that can be cut. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { systemClock } from "../../../shared/clock.ts";
import { until } from "../../../test/until.ts";
import { startDelayProxy } from "../../local/wan/delay-proxy.ts";
import { freePorts } from "../../process/port.ts";
import { Pair } from "./pair.ts";
import { pairFiles } from "./pair-names.ts";
import { PAIR_LIMITS, type PairLimits } from "./pair-step.ts";

export type TestPair = Awaited<ReturnType<typeof startTestPair>>;

export async function startTestPair(limits: Partial<PairLimits> = {}) {
  const dir = mkdtempSync(join(tmpdir(), "meridian-pair-"));
  const files = pairFiles(dir);
  // An empty cluster that the run of the tests made: making one takes longer than all the rest.
  const cluster = process.env.TEST_CLUSTER;
  if (cluster) execFileSync("cp", ["-a", cluster, files.dirs.a]);
  const [a = 0, b = 0] = await freePorts(2);
  const proxyTo = (targetPort: number) =>
    startDelayProxy({
      listenHost: "127.0.0.1",
      listenPort: 0,
      targetHost: "127.0.0.1",
      targetPort,
      oneWayMs: 0,
    });
  const links = { a: await proxyTo(a), b: await proxyTo(b) };
  const lines: string[] = [];
  const beganMs = performance.now();
  const options = {
    ...files,
    limits: { ...PAIR_LIMITS, ...limits },
    ports: { a, b },
    replicationPorts: { a: links.a.port, b: links.b.port },
    replicationPassword: "replication-of-a-test",
    database: "postgres",
    settings: { fsync: "off" },
    clock: systemClock,
    report: (line: string) => {
      lines.push(`${(performance.now() - beganMs).toFixed(0).padStart(6)} ${line}`);
    },
  };
  let pair = new Pair(options);
  await pair.start();

  return {
    dir,
    lines,
    links,
    get pair() {
      return pair;
    },
    /** A connection to whoever is the primary now. */
    async connect(): Promise<pg.Client> {
      const client = new pg.Client({ connectionString: pair.primary.url, query_timeout: 20_000 });
      client.on("error", () => {});
      await client.connect();
      return client;
    },
    async promotable(): Promise<void> {
      await until("a promotable standby", () => pair.mark.promotable && pair.serves, 60_000);
    },
    /** Ends manager and servers, and begins anew with what they left. */
    async startAgain(): Promise<void> {
      await pair.stop();
      pair = new Pair(options);
      await pair.start();
    },
    async stop(): Promise<void> {
      await pair.stop();
      await Promise.all([links.a.stop(), links.b.stop()]);
      rmSync(dir, { recursive: true });
    },
  };
}
