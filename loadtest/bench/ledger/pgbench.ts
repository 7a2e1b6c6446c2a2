/**
 * PostgreSQL's own benchmark, as it comes: TPC-B-like transactions on the same server. Its clients
 * connect over TCP, as a core does.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Where Debian and Ubuntu keep what is not on the PATH. */
const DEBIAN_FOLDER = "/usr/lib/postgresql";
const HOW_TO_GET_IT =
  "pgbench is not installed. It comes with the PostgreSQL server: `apt-get install postgresql` on Debian " +
  "and Ubuntu, `brew install postgresql` on macOS; or set PGBENCH to its path";
const INIT_DEADLINE_MS = 180_000;
const RUN_MARGIN_MS = 30_000;
/** Enough for clients that mostly wait, on few processors. */
const THREADS_MAX = 2;

export interface PgbenchRun {
  readonly tps: number;
  readonly latenciesMs: readonly number[];
}

export class Pgbench {
  readonly #program: string;
  readonly #url: URL;

  constructor(program: string, databaseUrl: string) {
    this.#program = program;
    this.#url = new URL(databaseUrl);
  }

  /** Makes its tables: so many branches, and 100,000 accounts for each. */
  async initialise(scale: number, signal: AbortSignal): Promise<void> {
    const args = ["--initialize", "--quiet", `--scale=${scale}`];
    await this.#run(args, INIT_DEADLINE_MS, signal);
  }

  async run(clients: number, seconds: number, signal: AbortSignal): Promise<PgbenchRun> {
    const dir = mkdtempSync(join(tmpdir(), "meridian-pgbench-"));
    try {
      const output = await this.#run(
        [
          "--no-vacuum",
          "--protocol=prepared",
          `--client=${clients}`,
          `--jobs=${Math.min(clients, THREADS_MAX)}`,
          `--time=${seconds}`,
          "--log",
          `--log-prefix=${join(dir, "transactions")}`,
        ],
        seconds * 1_000 + RUN_MARGIN_MS,
        signal,
      );
      const tps = Number(/^tps = ([\d.]+)/m.exec(output)?.[1]);
      if (!(tps > 0)) throw new Error("pgbench made no transaction: is the machine this busy?");
      return { tps, latenciesMs: readLatencies(dir) };
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  #run(args: readonly string[], deadlineMs: number, signal: AbortSignal): Promise<string> {
    const { hostname, port, username, password, pathname } = this.#url;
    return new Promise((resolve, reject) => {
      const child = spawn(this.#program, [...args, pathname.slice(1)], {
        env: {
          ...process.env,
          PGHOST: hostname,
          PGPORT: port,
          PGUSER: decodeURIComponent(username),
          PGPASSWORD: decodeURIComponent(password),
        },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: deadlineMs,
        signal,
      });
      let output = "";
      let errors = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        errors += text;
      });
      child.once("error", reject);
      child.once("close", (code) => {
        if (code === 0) resolve(output);
        else reject(new Error(`pgbench failed: ${errors.trim().split("\n").at(-1) ?? code}`));
      });
    });
  }
}

/** @throws one line that says how to get it */
export function findPgbench(env: NodeJS.ProcessEnv): string {
  const onPath = (env.PATH ?? "").split(delimiter).map((folder) => join(folder, "pgbench"));
  const versions = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER) : [];
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a));
  const debian = newestFirst.map((version) => join(DEBIAN_FOLDER, version, "bin/pgbench"));
  // Debian's on the PATH is a wrapper in Perl that looks for the server's version first.
  const candidates = env.PGBENCH ? [env.PGBENCH] : [...debian, ...onPath];
  const found = candidates.find(
    (path) => existsSync(path) && spawnSync(path, ["--version"], { timeout: 10_000 }).status === 0,
  );
  if (found === undefined) throw new Error(HOW_TO_GET_IT);
  return found;
}

/** Of each transaction, from the third column of pgbench's logs, µs. */
function readLatencies(dir: string): number[] {
  return readdirSync(dir).flatMap((name) =>
    readFileSync(join(dir, name), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => Number(line.split(" ")[2]) / 1_000),
  );
}
