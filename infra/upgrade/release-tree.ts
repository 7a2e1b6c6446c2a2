/**
 * The previous release (N−1) as a tree of files beside this one (N): what the checks of upgrades run and compare.
 *
 * `previous-release` holds its commit. The tree is taken from git into a temporary folder. Its dependencies are the
 * ones of this tree where those have all that it needs, at the same versions; else they are installed there.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

export interface ReleaseTree {
  /** Its top folder. */
  readonly dir: string;
  readonly commit: string;
  /** Removes it. Nothing may run from it any more. */
  remove(): void;
}

/** The tree can't be had; the message says what to do. */
export class ReleaseTreeError extends Error {
  override readonly name = "ReleaseTreeError";
}

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COMMIT_FILE = join(import.meta.dirname, "previous-release");
const COMMIT = /^[0-9a-f]{40}$/;
const GIT_MS_MAX = 30_000;
const INSTALL_MS_MAX = 300_000;

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string().optional(), integrity: z.string().optional() }),
  ),
});
type Lock = z.infer<typeof Lock>;

/** @throws {ReleaseTreeError} when the file does not hold one */
export function previousRelease(file: string = COMMIT_FILE): string {
  const commit = readFileSync(file, "utf8").trim();
  if (!COMMIT.test(commit)) throw new ReleaseTreeError(`${file} holds no full commit id`);
  return commit;
}

/** Why that commit can't be had here; undefined where it can. */
export function whyNoTree(commit: string, root: string = ROOT): string | undefined {
  if (!existsSync(join(root, ".git"))) return "this is no git clone: releases are taken from git";
  try {
    git(root, ["cat-file", "-e", `${commit}^{commit}`]);
    return undefined;
  } catch {
    return `commit ${commit} is not in this clone: git fetch --unshallow`;
  }
}

/**
 * Takes some seconds, and minutes where its dependencies must be installed.
 * @throws {ReleaseTreeError} when the commit is not in this clone, or its dependencies can't be installed
 */
export function makeReleaseTree(commit: string = previousRelease()): ReleaseTree {
  const problem = whyNoTree(commit);
  if (problem !== undefined) throw new ReleaseTreeError(problem);
  const dir = mkdtempSync(join(tmpdir(), "meridian-release-"));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    const archive = join(dir, "release.tar");
    git(ROOT, ["archive", "--format=tar", `--output=${archive}`, commit]);
    execFileSync("tar", ["-xf", archive, "-C", dir], { timeout: GIT_MS_MAX });
    rmSync(archive);
    const [own, theirs] = [ROOT, dir].map((top) => readLock(join(top, "package-lock.json")));
    if (own && theirs && hasAllOf(own, theirs)) {
      symlinkSync(join(ROOT, "node_modules"), join(dir, "node_modules"));
    } else install(dir);
    return { dir, commit, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Whether whoever has installed `own` can run what needs `theirs`. Pure. */
export function hasAllOf(own: Lock, theirs: Lock): boolean {
  return Object.entries(theirs.packages).every(([path, needed]) => {
    // The tree itself.
    if (path === "") return true;
    const there = own.packages[path];
    return there?.version === needed.version && there?.integrity === needed.integrity;
  });
}

function readLock(file: string): Lock {
  return Lock.parse(JSON.parse(readFileSync(file, "utf8")));
}

function install(dir: string): void {
  try {
    execFileSync("npm", ["ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: dir,
      timeout: INSTALL_MS_MAX,
      killSignal: "SIGKILL",
      stdio: ["ignore", "ignore", "inherit"],
    });
  } catch (cause) {
    const message = "the dependencies of the previous release can't be installed: npm ci";
    throw new ReleaseTreeError(message, { cause });
  }
}

function git(cwd: string, args: readonly string[]): void {
  // A name of the environment would make git look at another repository, as in a hook.
  const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, ...env } = process.env;
  execFileSync("git", args, { cwd, env, timeout: GIT_MS_MAX, stdio: ["ignore", "ignore", "pipe"] });
}
