/**
 * Tells which files of a folder changed. The system's notices only say when to look; what changed
 * is found by comparing, because editors save in many ways: in place, by a rename, twice in a row.
 */
import { readdirSync, statSync, watch } from "node:fs";
import { join, relative } from "node:path";
import type { Cancel, Clock } from "../../shared/clock.ts";

/** Saving all files of an editor takes about as long. */
const QUIET_MS = 80;
const IGNORED = /(?:^|\/)[.#]|~$|\.sw[a-z]$|\.test\.ts$|(?:^|\/)4913$/;

type Prints = ReadonlyMap<string, string>;

/**
 * @param changed gets paths relative to `dir`: of files changed, made or removed; tests left out
 * @returns ends the watch
 */
export function watchFiles(
  dir: string,
  clock: Clock,
  changed: (paths: readonly string[]) => void,
): Cancel {
  let known = printsOf(dir);
  let cancel: Cancel = () => {};
  const look = () => {
    const now = printsOf(dir);
    const paths = differing(known, now);
    known = now;
    if (paths.length > 0) changed(paths);
  };
  const watcher = watch(dir, { recursive: true }, () => {
    cancel();
    cancel = clock.after(QUIET_MS, look);
  });
  return () => {
    cancel();
    watcher.close();
  };
}

function printsOf(dir: string): Prints {
  const prints = new Map<string, string>();
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = relative(dir, join(entry.parentPath, entry.name));
    if (!entry.isFile() || IGNORED.test(path)) continue;
    // A file may vanish between the listing and the look at it: that is a change, too.
    const found = statSync(join(dir, path), { throwIfNoEntry: false });
    if (found) prints.set(path, `${found.mtimeMs} ${found.size}`);
  }
  return prints;
}

function differing(before: Prints, after: Prints): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).sort();
}
