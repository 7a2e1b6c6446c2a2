/** Finds the servers that a machine has of its own, and that they are not too old. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where to look. */
export interface Place {
  readonly program: string;
  /** What the user named instead; an empty text counts as nothing. */
  readonly given: string | undefined;
  /** The user's own, separated as the system does it. */
  readonly path: string | undefined;
  /** Looked through after those of `path`. */
  readonly folders?: readonly string[];
}

export interface Wanted extends Place {
  /** For people. */
  readonly name: string;
  /** Finds major and minor version in what it prints of itself. */
  readonly version: RegExp;
  /** What it is asked that with; `--version` by default. */
  readonly versionArgument?: string;
  readonly oldest: { readonly major: number; readonly minor: number };
  /** How one gets it. */
  readonly install: string;
}

const ASK_MS = 10_000;

/**
 * The path of the program: what the user named, else the first in the folders.
 * @throws one clear line when there is none, or it is too old
 */
export function findProgram(wanted: Wanted): string {
  const { name, program, version, versionArgument = "--version", oldest, install } = wanted;
  const path = programAt(wanted);
  if (path === undefined) throw new Error(`${program} is not installed: ${install}`);
  const asked = spawnSync(path, [versionArgument], { encoding: "utf8", timeout: ASK_MS });
  const words = `${asked.stdout ?? ""}${asked.stderr ?? ""}`;
  const [found, major, minor] = version.exec(words) ?? [];
  const newer = Number(major) - oldest.major || Number(minor) - oldest.minor;
  if (newer >= 0) return path;
  throw new Error(
    found
      ? `${path} is ${found}, Meridian needs ${name} ${oldest.major}.${oldest.minor} or newer`
      : `${path} does not run as ${name}: ${asked.error?.message ?? "no version"}`,
  );
}

/** What the user named, whether or not it is there; else the first in the folders; undefined without one. */
export function programAt({ program, given, path = "", folders = [] }: Place): string | undefined {
  const own = path.split(delimiter).filter((folder) => folder !== "");
  const places = [...own, ...folders].map((folder) => join(folder, program));
  return given || places.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not for this user: the next place is looked at.
    return false;
  }
}
