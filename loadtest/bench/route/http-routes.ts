/**
 * `GET /v1/route` of a whole core with thirty regions that heartbeat, against a bare Fastify that answers a
 * constant of the same size, in turn. Both get the same generator, and each its own process.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { testTopology } from "../../../core/test-core.ts";
import { startPostgres } from "../../../infra/postgres/embedded.ts";
import { LinkIdentity } from "../../../shared/link/identity.ts";
import { LinkClient } from "../../../shared/link/link-client.ts";
import { SITE_COUNT, specsOf } from "../../../test/gslb-day/sites.ts";
import { type BenchmarkOptions, median, rounded } from "../benchmark.ts";
import { Child } from "../child.ts";
import { treeCpuSeconds } from "../process-cpu.ts";
import { startHeartbeats } from "../stand-in-node.ts";
import type { BareReady } from "./bare-process.ts";
import type { RouteCoreReady } from "./core-process.ts";
import { countAnswers } from "./lean-http.ts";

const PATH = "/v1/route";
const CONNECTIONS = 16;
const CORE = fileURLToPath(new URL("core-process.ts", import.meta.url));
const BARE = fileURLToPath(new URL("bare-process.ts", import.meta.url));

export interface HttpRoutes {
  readonly httpPath: string;
  readonly httpRegions: number;
  readonly httpBodyBytes: number;
  readonly httpRoutesPerS: number;
  /** Of the bare Fastify. */
  readonly httpFloorPerS: number;
  readonly httpRatioToFloor: number;
  /** CPU time of the core's process for one, µs; NaN where the system does not tell. */
  readonly httpCpuUs: number;
}

export async function measureHttp(
  options: BenchmarkOptions,
  signal: AbortSignal,
): Promise<HttpRoutes> {
  const dir = mkdtempSync(join(tmpdir(), "meridian-route-"));
  const postgres = await startPostgres({ dataDir: join(dir, "postgres"), settings: {}, signal });
  try {
    const topology = join(dir, "topology.json");
    const regions = specsOf(new Array(SITE_COUNT).fill(1_000));
    writeFileSync(topology, JSON.stringify({ ...testTopology, regions }));
    const env = { DATABASE_URL: postgres.url, TOPOLOGY_FILE: topology };
    const [core, ready] = await Child.start<RouteCoreReady>({ file: CORE, env });
    try {
      return await againstBare(options, { core, ready }, signal);
    } finally {
      await core.stop();
    }
  } finally {
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function againstBare(
  { quick, say }: BenchmarkOptions,
  { core, ready }: { readonly core: Child; readonly ready: RouteCoreReady },
  signal: AbortSignal,
): Promise<HttpRoutes> {
  const url = new URL(PATH, ready.url);
  const stops: (() => unknown)[] = [];
  try {
    for (const { id, credentials } of ready.regions) {
      const client = new LinkClient(new LinkIdentity(credentials));
      stops.unshift(() => client.stop());
      const { stop } = await startHeartbeats(client, ready.link, 1, () => {}, id);
      stops.unshift(stop);
    }
    const httpBodyBytes = (await (await fetch(url)).arrayBuffer()).byteLength;
    const env = { BODY_BYTES: String(httpBodyBytes) };
    const [bare, { url: bareUrl }] = await Child.start<BareReady>({ file: BARE, env });
    stops.unshift(() => bare.stop());
    const load = { connections: CONNECTIONS, ms: quick ? 1_500 : 5_000 };
    const rates = { core: [] as number[], bare: [] as number[], cpuUs: [] as number[] };
    for (let round = 0; round <= (quick ? 3 : 7) && !signal.aborted; round += 1) {
      const cpuBefore = treeCpuSeconds(core.pid) ?? Number.NaN;
      const answers = await countAnswers(url, load);
      const cpuSeconds = (treeCpuSeconds(core.pid) ?? Number.NaN) - cpuBefore;
      const floor = await countAnswers(new URL(bareUrl), load);
      // The first round runs code that is not compiled yet.
      if (round === 0) continue;
      rates.core.push((answers * 1_000) / load.ms);
      rates.bare.push((floor * 1_000) / load.ms);
      rates.cpuUs.push((cpuSeconds * 1_000_000) / answers);
    }
    const [httpRoutesPerS, httpFloorPerS] = [median(rates.core), median(rates.bare)];
    const httpCpuUs = rounded(median(rates.cpuUs));
    say(
      `${Math.round(httpRoutesPerS)} answers of ${PATH} a second (${httpCpuUs} µs of CPU each), ` +
        `bare Fastify ${Math.round(httpFloorPerS)}`,
    );
    return {
      httpPath: PATH,
      httpRegions: ready.regions.length,
      httpBodyBytes,
      httpRoutesPerS: Math.round(httpRoutesPerS),
      httpFloorPerS: Math.round(httpFloorPerS),
      httpRatioToFloor: rounded(httpRoutesPerS / httpFloorPerS),
      httpCpuUs,
    };
  } finally {
    for (const stop of stops) await stop();
  }
}
