/**
 * A queue of real clients whose core and Redis are killed:
 *
 *     npm run queue-loss -- --clients 20000 --kill both
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startLocalWorld } from "../../infra/local/world.ts";
import { Chance } from "../../shared/chance.testkit.ts";
import { allRegionsActive } from "../world.ts";
import { ENV, KILLS, type Kill, loseQueue } from "./loss.ts";

const RESTART_DELAY_MS = 3_600_000;
const USAGE = `Usage: npm run queue-loss -- [--clients N] [--kill core|redis|both] [--seed N] [--json]

Starts a world whose only region is full, lets N clients (20,000) wait for it over HTTP, ends the core,
its Redis or both (the default) with SIGKILL, starts them again and compares all places. Takes a few minutes.`;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: "string", default: "20000" },
      kill: { type: "string", default: "both" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const clients = Number(values.clients);
  const kill = KILLS.find((one): one is Kill => one === values.kill);
  if (values.help || !kill || !(Number.isInteger(clients) && clients > 0)) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const dir = mkdtempSync(join(tmpdir(), "meridian-queue-loss-"));
  const calledOff = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => calledOff.abort());
  }
  const progress = (line: string) => console.error(line);
  const world = await startLocalWorld({
    dir,
    regions: 1,
    pages: false,
    restartDelayMs: RESTART_DELAY_MS,
    env: ENV,
    signal: calledOff.signal,
  });
  try {
    await allRegionsActive(world);
    const chance = new Chance(Number(values.seed));
    const random = () => chance.float();
    const deadlineMs = 180_000;
    const report = await loseQueue({ world, clients, kill, random, progress, deadlineMs });
    console.log(values.json ? JSON.stringify(report) : report);
    return report.changed + report.lost + report.passed === 0 ? 0 : 1;
  } finally {
    await world.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

// Ended, not left to end: see infra/test/lingering.ts for what Node may do with sockets at a natural end.
process.exit(await main(process.argv.slice(2)));
