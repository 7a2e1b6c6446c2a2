/**
 * `npm test`: all tests, or those whose path contains one of the words given, against one PostgreSQL
 * that lives as long as the run, or that of the run in which a test runs this one. Each test file makes databases of its own in it (`TEST_DATABASE_URL`)
 * and starts the Redis servers that it needs (`REDIS_SERVER`).
 *
 * The run fails also when a process that a test started is left at its end.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import { globSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sleep, systemClock } from "../../shared/clock.ts";
import { makeCluster, type RunningPostgres, startPostgres } from "../postgres/embedded.ts";
import { stopLeftoverPostgres } from "../postgres/leftover.ts";
import { isAlive, signalProcess } from "../process/pid.ts";
import { runFiles } from "./files.ts";
import { findLeaked, MARK_NAME } from "./leaks.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SCRATCH = join(ROOT, ".meridian/test");
const STRIPPED = join(import.meta.dirname, "stripped.cjs");
/** The campaign of faults takes 70 s where nothing else runs. */
const FILE_MS_MAX = 240_000;
const SOAK_FILE_MS_MAX = 3_600_000;
/** How many cases a property test tries, by `RUNS`; tests with numbers of their own look at `SOAK`. */
const SOAK_RUNS = 20_000;
const LEAK_GRACE_MS = 3_000;
const POLL_MS = 100;
const SEED_MAX = 2 ** 31 - 1;
/** Of a run that nobody gave one: the same tree gives the same result. */
const USUAL_SEED = "20261129";

/** Tests in these folders run programs that Go may have to compile first. */
const COMPILED = [
  { folders: ["test/k6/", "loadtest/load/"], script: "loadtest/load/k6-binary.ts" },
  { folders: ["infra/k8s/"], script: "infra/k8s/checks/kustomize.ts" },
];

/**
 * What takes long and shows again, from nearer by, what another test shows in less time; without a word that names
 * them they run in the soak alone.
 */
const LONG: ReadonlySet<string> = new Set([
  // In `test/faults/disasters.test.ts` as well.
  "test/e2e/database-failover.test.ts",
  "test/e2e/two-cores.test.ts",
  // In `test/upgrades/mixed.test.ts` each pair of releases, and the bench `coreloss` is one.
  "test/upgrades/rolling.test.ts",
]);

const USAGE = `Usage: npm test [-- PATH…] [options]

Runs every *.test.ts whose path contains one of the words given; all without one, but for ${LONG.size} long ones.

Options:
  --soak    the same tests with larger numbers and a new seed each time, and the long ones; takes long
  --help    this text

Environment:
  TEST_SEED seed of the property tests; 'random' draws one. By default 'npm test' always takes ${USUAL_SEED},
            the soak a new one
  TEST_DATABASE_URL
            of the superuser of a PostgreSQL to use; by default one is started`;

const calledOff = new AbortController();

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      soak: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const isLeftOut = (file: string) => positionals.length === 0 && !values.soak && LONG.has(file);
  const files = findTests(positionals).filter((file) => !isLeftOut(file));
  if (files.length === 0) {
    console.error(`✗ no test file's path contains ${positionals.join(" or ")}`);
    return 1;
  }
  const seed = seedOf(process.env.TEST_SEED ?? (values.soak ? "random" : USUAL_SEED));
  const mark = randomUUID();
  console.log(`${files.length} test files; TEST_SEED=${seed} repeats the random choices`);
  for (const { folders, script } of COMPILED) {
    if (files.some((file) => folders.some((folder) => file.startsWith(folder)))) prepare(script);
  }
  await clearScratch();
  const dir = mkdtempSync(join(SCRATCH, `${process.pid}-`));
  const portClaims = join(dir, "ports");
  mkdirSync(portClaims);
  try {
    const given = process.env.TEST_DATABASE_URL;
    const postgres = given ? { url: given, stop: async () => {} } : await startDatabase(dir);
    let passed: boolean;
    try {
      // What the test processes inherit.
      process.chdir(ROOT);
      Object.assign(process.env, {
        TEST_DATABASE_URL: postgres.url,
        TEST_SEED: seed,
        PORT_CLAIMS: portClaims,
        [MARK_NAME]: mark,
        // Several hundred processes start from the same sources: each is compiled once a run.
        NODE_COMPILE_CACHE: join(dir, "compiled"),
        ...strippedOnce(join(dir, "stripped")),
        ...(values.soak ? { SOAK: "1", RUNS: String(SOAK_RUNS) } : {}),
      });
      passed = await runFiles(files, {
        fileMsMax: values.soak ? SOAK_FILE_MS_MAX : FILE_MS_MAX,
        signal: calledOff.signal,
      });
    } finally {
      await postgres.stop();
    }
    return (await endLeaked(mark)) === 0 && passed ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function seedOf(given: string): string {
  if (given === "random") return String(randomInt(SEED_MAX));
  if (/^\d+$/.test(given) && Number(given) <= SEED_MAX) return given;
  throw new Error(`TEST_SEED must be 'random' or a whole number up to ${SEED_MAX}, not ${given}`);
}

/** A compilation takes longer than a test's file may. Without the program its tests say so. */
function prepare(script: string): void {
  spawnSync(process.execPath, [join(ROOT, script)], { stdio: ["ignore", "ignore", "inherit"] });
}

/** Of the run, in a copy of the empty cluster that worlds copy as well: to make one takes a second. */
async function startDatabase(dir: string): Promise<RunningPostgres> {
  const cluster = join(dir, "cluster");
  const dataDir = join(dir, "postgres");
  makeCluster(cluster);
  execFileSync("cp", ["-a", cluster, dataDir]);
  process.env.TEST_CLUSTER = cluster;
  return await startPostgres({
    dataDir,
    // The data is thrown away, so nothing needs to survive a power cut.
    settings: { fsync: "off", max_connections: "300" },
  });
}

/** What lets every Node process of the run share stripped sources; they lie in `dir`. */
function strippedOnce(dir: string): Record<string, string> {
  const { NODE_OPTIONS: given = "" } = process.env;
  const NODE_OPTIONS = `${given} --require ${JSON.stringify(STRIPPED)}`.trimStart();
  return { NODE_OPTIONS, MERIDIAN_TEST_STRIPPED: dir };
}

function findTests(words: readonly string[]): string[] {
  const exclude = (name: string) => name === "node_modules" || name.startsWith(".");
  return globSync("**/*.test.ts", { cwd: ROOT, exclude })
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort();
}

/** Ends what tests left running, naming it. @returns how many there were */
async function endLeaked(mark: string): Promise<number> {
  const endMs = systemClock.monotonicMs() + LEAK_GRACE_MS;
  // What was told to end at the last moment may take another.
  while (findLeaked(mark).length > 0 && systemClock.monotonicMs() < endMs) {
    await sleep(systemClock, POLL_MS);
  }
  const leaked = findLeaked(mark);
  for (const { pid, command } of leaked) {
    console.error(`✗ a test left process ${pid} running: ${command}`);
    signalProcess(pid, "SIGKILL");
  }
  return leaked.length;
}

/** Removes what runs that were killed left behind, servers included. */
async function clearScratch(): Promise<void> {
  mkdirSync(SCRATCH, { recursive: true });
  for (const name of readdirSync(SCRATCH)) {
    if (isAlive(Number.parseInt(name, 10))) continue;
    await stopLeftoverPostgres(join(SCRATCH, name, "postgres"));
    rmSync(join(SCRATCH, name), { recursive: true, force: true });
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => calledOff.abort());
}
// The start-up script is gone: nobody reads the result any more.
process.on("disconnect", () => calledOff.abort());
process.channel?.unref();

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`✗ ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
