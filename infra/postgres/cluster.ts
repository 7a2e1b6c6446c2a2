/**
 * The files of a PostgreSQL cluster on disk. A cluster is made in a folder of its own and renamed when
 * whole, so a start that is killed in the middle of it leaves nothing that looks like one.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastLines } from "../process/log-file.ts";
import { type Binaries, postgresEnv, type RunAs } from "./binaries.ts";

const INIT_DEADLINE_MS = 120_000;

/**
 * The cluster's password; the cluster is made when there is none.
 * @throws one clear line, also when the data is of another major version
 */
export function ensureCluster(
  dir: string,
  binaries: Binaries,
  runAs: RunAs,
  log: (line: string) => void,
): string {
  const data = join(dir, "data");
  const passwordFile = join(dir, "password");
  if (existsSync(join(data, "PG_VERSION"))) {
    const version = readFileSync(join(data, "PG_VERSION"), "utf8").trim();
    if (version !== String(binaries.major)) {
      throw new Error(
        `the data in ${data} is of PostgreSQL ${version}, this is ${binaries.major}: ` +
          "start with --fresh, or move the data away",
      );
    }
    if (!existsSync(passwordFile)) {
      throw new Error(`${passwordFile} is missing: start with --fresh, or put it back`);
    }
    return readFileSync(passwordFile, "utf8").trim();
  }
  if (existsSync(data)) throw new Error(`${data} is no PostgreSQL data: move it away`);
  log("making a database cluster");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const password = randomBytes(32).toString("base64url");
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  initialise(dir, password, binaries, runAs);
  return password;
}

/**
 * How the server is told its data folder, which is its working directory. Through `/proc/self/cwd` it
 * needs no right to walk there by path.
 */
export function dataDirArgument(data: string): string {
  return process.platform === "linux" ? "/proc/self/cwd" : data;
}

/** The last line of the server's log that says what is wrong. */
export function lastLogLine(logFile: string): string {
  const lines = lastLines(logFile);
  const telling = lines.findLast((line) => /FATAL|PANIC|ERROR|could not/.test(line));
  return (telling ?? lines.at(-1) ?? "it logged nothing").trim();
}

function initialise(dir: string, password: string, binaries: Binaries, runAs: RunAs): void {
  const half = join(dir, "data.half");
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { mode: 0o700 });
  // The password's file must lie where the server's user can go, and be readable by no one else.
  const handOver = mkdtempSync(join(tmpdir(), "meridian-initdb-"));
  try {
    const passwordFile = join(handOver, "password");
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (runAs.uid !== undefined && runAs.gid !== undefined) {
      for (const path of [half, handOver, passwordFile]) chownSync(path, runAs.uid, runAs.gid);
    }
    const result = spawnSync(
      join(binaries.nativeDir, "bin/initdb"),
      [
        `--pgdata=${dataDirArgument(half)}`,
        "--username=postgres",
        "--auth=scram-sha-256",
        `--pwfile=${passwordFile}`,
        "--locale=C",
        "--encoding=UTF8",
      ],
      { ...runAs, cwd: half, env: postgresEnv(), encoding: "utf8", timeout: INIT_DEADLINE_MS },
    );
    if (result.status !== 0) {
      const words = result.stderr?.trim().split("\n").at(-1) ?? "";
      throw new Error(`PostgreSQL's initdb failed: ${result.error?.message ?? words}`);
    }
    renameSync(half, join(dir, "data"));
  } finally {
    rmSync(handOver, { recursive: true, force: true });
    rmSync(half, { recursive: true, force: true });
  }
}
