/**
 * Settings in a data folder that no server runs on: those that differ between primary and standby, or hold a
 * password, which a command line would show to everybody. `ALTER SYSTEM` keeps them in the same file.
 */
import { chownSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE = "postgresql.auto.conf";

/** Sets these, and takes away those that are undefined; others stay. */
export function writeSettings(
  data: string,
  settings: Readonly<Record<string, string | undefined>>,
): void {
  const path = join(data, FILE);
  const before = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const kept = before.filter((line) => line.trim() !== "" && !(nameOf(line) in settings));
  const set = Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} = '${value.replaceAll("'", "''")}'`],
  );
  const next = `${path}.next`;
  writeFileSync(next, `${[...kept, ...set].join("\n")}\n`, { mode: 0o600 });
  const { uid, gid } = statSync(data);
  if (process.getuid?.() === 0) chownSync(next, uid, gid);
  renameSync(next, path);
}

function nameOf(line: string): string {
  return line.split("=")[0]?.trim() ?? "";
}
