/** What `npm run backup` does with its arguments; `main.ts` runs it. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Clock } from "../../shared/clock.ts";
import { archiveSettings, makeArchive } from "./archive.ts";
import { takeBackup } from "./base-backup.ts";
import { listText } from "./list.ts";
import { type Manifest, readBackups } from "./manifest.ts";
import { prune } from "./prune.ts";
import { verifyBackup } from "./verify.ts";

export const USAGE = `Usage: npm run backup -- [COMMAND] --to DIR [options]

Backups of the core's PostgreSQL, in one folder: base backups, and the archive of its log. See docs/backups.md.

Commands:
  (none)              take a base backup of a running server, on its machine
  list                what there is, and how old the newest is
  verify [NAME]       hold a backup, the newest by default, against its manifest
  prune --keep N      delete all but the N newest backups, and the log that those do not need
  settings            print the settings with which a server archives its log to DIR

Options:
  --to DIR            the folder of backups
  --database-url-file FILE
                      holds the URL of a superuser; by default DATABASE_OWNER_URL, DATABASE_URL, or the
                      local world's
  --data DIR          the cluster's folder, where it can't be found out
  --label TEXT        a remark for people
  --max-age-h N       list: end with 1 when the newest backup is older
  --help              this text

Ctrl-C calls a backup off and leaves nothing of it.`;

/** A mistake in the arguments; the command ends with 2. */
export class UsageError extends Error {}

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const OPTIONS = {
  to: { type: "string" },
  "database-url-file": { type: "string" },
  data: { type: "string" },
  label: { type: "string" },
  keep: { type: "string" },
  "max-age-h": { type: "string" },
  help: { type: "boolean", default: false },
} as const;
const HOUR_MS = 3_600_000;
const LOCAL_URL_FILE = fileURLToPath(
  new URL("../../.meridian/local/database-owner-url", import.meta.url),
);

/**
 * @returns the exit code: 1 when what was looked for is not well
 * @throws {UsageError} for wrong arguments; any other error with one clear line
 */
export async function runBackup(args: readonly string[], around: Surroundings): Promise<number> {
  const { values, positionals } = parse(args);
  const { say, clock, signal, env } = around;
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const [command, name, ...more] = positionals;
  if (more.length > 0 || (name !== undefined && command !== "verify")) {
    throw new UsageError(`there is too much: ${[name, ...more].join(" ")}`);
  }
  const dir = values.to;
  if (!dir) throw new UsageError("--to DIR is missing");
  switch (command) {
    case undefined: {
      const url = databaseUrl(values["database-url-file"], env);
      const { data, label } = values;
      await takeBackup({ url, dir, data, label, clock, say, signal });
      return 0;
    }
    case "list": {
      const maxAgeMs = HOUR_MS * number("--max-age-h", values["max-age-h"] ?? "Infinity");
      const { text, ageMs } = listText(dir, clock.nowMs());
      say(text);
      return ageMs <= maxAgeMs ? 0 : 1;
    }
    case "verify": {
      const backup = chosen(readBackups(dir), name, dir);
      const wrong = await verifyBackup(dir, backup, signal);
      say(
        [...wrong, `${backup.name} ${wrong.length === 0 ? "is whole" : "is damaged"}`].join("\n"),
      );
      return wrong.length === 0 ? 0 : 1;
    }
    case "prune": {
      const keep = number("--keep", values.keep ?? "");
      if (!Number.isInteger(keep) || keep < 1) throw new UsageError("--keep N: 1 at least");
      const { backups, segments } = await prune(dir, keep);
      say(`deleted ${backups.length} backups and ${segments} files of the archive`);
      return 0;
    }
    case "settings":
      say(settingsText(makeArchive(dir, {})));
      return 0;
    default:
      throw new UsageError(`there is no command "${command}"`);
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function databaseUrl(file: string | undefined, env: NodeJS.ProcessEnv): string {
  const path = file ?? env.DATABASE_OWNER_URL_FILE;
  if (path) return readFileSync(path, "utf8").trim();
  const given = env.DATABASE_OWNER_URL || env.DATABASE_URL;
  if (given) return given;
  if (existsSync(LOCAL_URL_FILE)) return readFileSync(LOCAL_URL_FILE, "utf8").trim();
  throw new UsageError("say which database: --database-url-file FILE, or DATABASE_OWNER_URL");
}

function chosen(backups: readonly Manifest[], name: string | undefined, dir: string): Manifest {
  const found =
    name === undefined ? backups.at(-1) : backups.find((backup) => backup.name === name);
  if (found) return found;
  throw new Error(`${dir} has no backup${name === undefined ? "" : ` ${name}`}`);
}

function number(option: string, text: string): number {
  const value = text === "" ? Number.NaN : Number(text);
  if (value >= 0) return value;
  throw new UsageError(`${option} ${text} is no number`);
}

/** As lines of `postgresql.conf`. */
function settingsText(wal: string): string {
  const lines = Object.entries(archiveSettings(wal));
  return [
    `# ${wal} must belong to the server's user.`,
    ...lines.map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`),
  ].join("\n");
}
