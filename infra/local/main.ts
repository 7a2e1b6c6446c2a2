/** `npm start`: the local world on a terminal, until Ctrl-C. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OPS_URL_DEFAULT } from "../../core/ops/access.ts";
import type { NameServer } from "./name-server.ts";
import { type LocalOptions, parseLocalOptions } from "./options.ts";
import { type LocalWorld, startLocalWorld } from "./world.ts";

const DIR = fileURLToPath(new URL("../../.meridian/local", import.meta.url));

async function main(options: LocalOptions): Promise<void> {
  const beganMs = performance.now();
  const calledOff = new AbortController();
  const killed = new AbortController();
  let world: LocalWorld | undefined;
  let asked = 0;

  async function stop(): Promise<void> {
    asked += 1;
    if (asked === 2) killed.abort();
    if (asked > 2) process.exit(1);
    if (asked > 1) return;
    console.log("\nstopping; once more ends everything at once");
    calledOff.abort();
    if (!world) return;
    await world.stop();
    console.log("stopped");
    process.exit(0);
  }
  for (const event of ["SIGINT", "SIGTERM", "SIGHUP", "disconnect"]) {
    process.on(event, () => void stop().catch(fail));
  }
  // A terminal that was closed takes no more lines; the stop must go on all the same.
  process.stdout.on("error", () => {});

  const { DATABASE_URL, REDIS_URL } = process.env;
  try {
    world = await startLocalWorld({
      ...options,
      dir: DIR,
      killButton: true,
      ...(DATABASE_URL ? { databaseUrl: DATABASE_URL } : {}),
      ...(REDIS_URL ? { redisUrl: REDIS_URL } : {}),
      report: (line) => console.log(line),
      signal: calledOff.signal,
      killSignal: killed.signal,
    });
  } catch (error) {
    if (asked === 0) throw error;
    console.log("stopped");
    process.exit(0);
  }
  console.log(summary(world, (performance.now() - beganMs) / 1000));
}

function summary(world: LocalWorld, seconds: number): string {
  const { core } = world;
  const [page, ...others] = core.origins;
  return [
    "",
    `Meridian runs, after ${seconds.toFixed(1)} s. Ctrl-C stops it.`,
    "",
    `  play        ${page}`,
    ...world.pages.filter((path) => path !== "/").map((path) => `              ${page}${path}`),
    ...others.map((origin) => `              ${origin}`),
    `  API         ${core.url}/docs`,
    ...operatorLines(core.opsUrl),
    `  metrics     ${core.opsUrl}/metrics`,
    ...(world.nameServer ? [`  DNS         ${digOf(world.nameServer)}`] : []),
    `  logs        ${join(DIR, "logs")}`,
    ...(options.watch
      ? ["  code        save a file in region/games and it runs, players stay"]
      : []),
    "",
  ].join("\n");
}

/** The commands find a world at the usual ports by themselves. */
function operatorLines(opsUrl: string): string[] {
  const commands = "npm run ops -- status, npm run route -- --ip ADDRESS --explain";
  if (opsUrl === OPS_URL_DEFAULT) return [`  operators   ${commands}`];
  return [`  operators   export MERIDIAN_OPS_URL=${opsUrl}`, `              ${commands}`];
}

/** A look-up as from a network in Beijing, to be tried out. */
function digOf({ port, play }: NameServer): string {
  return `dig @127.0.0.1 -p ${port} ${play} +subnet=159.226.0.0/16`;
}

function fail(error: unknown): never {
  console.error(`✗ ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

let options: LocalOptions;
try {
  options = parseLocalOptions(process.argv.slice(2));
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  console.error(`✗ ${line}\n  npm start -- --help lists the options`);
  process.exit(2);
}
await main(options).catch(fail);
