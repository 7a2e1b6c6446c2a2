/** What `npm run restore` does with its arguments; `restore-main.ts` runs it. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import { restoreWorld } from "./in-place.ts";
import { type Restored, type RestoreOptions, restore } from "./restore.ts";
import type { Target } from "./target.ts";
import { parseLsn } from "./wal-names.ts";

export const USAGE = `Usage: npm run restore -- --from DIR [--latest | --to-time TIME | --to-lsn LSN] (--data NEWDIR | --world)

Restores the core's PostgreSQL from a folder of backups (npm run backup): base backup, then the log up to the
target. The core's term is raised, so a core may serve on the result. No data is ever written over.
See docs/backups.md.

Where to:
  --latest            all that the archive has (default)
  --to-time TIME      after the last transaction of then, such as 2026-01-31T12:30:00Z; with its time zone
  --to-lsn LSN        after the record that ends there, such as 1/2A000028
  --timeline N        of a life of the database that was restored from since (the newest)
  --backup NAME       by this base backup (the newest that leads there)

What becomes of it:
  --data NEWDIR       the restored cluster; not there yet, or empty
  --world             the local world's database, in its place; the former data is put aside. The
                      world must be stopped
  --world-dir DIR     of another world than .meridian/local

Options:
  --from DIR          the folder of backups
  --wal DIR           the lost server's pg_wal, if it is left: what was not archived is taken from there
  --bin DIR           holds PostgreSQL's programs; our own by default
  --help              this text

Ctrl-C calls it off and leaves nothing of it.`;

const OPTIONS = {
  from: { type: "string" },
  latest: { type: "boolean", default: false },
  "to-time": { type: "string" },
  "to-lsn": { type: "string" },
  timeline: { type: "string" },
  backup: { type: "string" },
  data: { type: "string" },
  world: { type: "boolean", default: false },
  "world-dir": { type: "string" },
  wal: { type: "string" },
  bin: { type: "string" },
  help: { type: "boolean", default: false },
} as const;
const LOCAL_WORLD = fileURLToPath(new URL("../../.meridian/local", import.meta.url));
/** A time without a zone would be another one on another machine. */
const ZONED_TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$/;

type Around = Pick<RestoreOptions, "clock" | "say"> & { readonly signal: AbortSignal };

/**
 * @returns the exit code
 * @throws {UsageError} for wrong arguments; any other error with one clear line
 */
export async function runRestore(args: readonly string[], around: Around): Promise<number> {
  const values = parse(args);
  const { say } = around;
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const { from, data, backup, wal, bin } = values;
  if (!from) throw new UsageError("--from DIR is missing");
  const world = values["world-dir"] ?? (values.world ? LOCAL_WORLD : undefined);
  const timeline = values.timeline === undefined ? undefined : Number(values.timeline);
  if (timeline !== undefined && !(Number.isInteger(timeline) && timeline > 0)) {
    throw new UsageError(`--timeline ${values.timeline} is no number of a timeline`);
  }
  const options = { ...around, from, backup, wal, bin, timeline, target: targetOf(values) };
  if (data !== undefined && world === undefined) {
    const restored = await restore({ ...options, data });
    say(`${resultText(restored)}\n  data       ${data}`);
  } else if (data === undefined && world !== undefined) {
    const restored = await restoreWorld(world, options);
    say(`${resultText(restored)}\n  former     ${restored.aside ?? "there was none"}`);
  } else throw new UsageError("say what becomes of it: --data NEWDIR, or --world");
  return 0;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function targetOf(values: ReturnType<typeof parse>): Target {
  const { latest, "to-time": time, "to-lsn": place } = values;
  if (Number(latest) + Number(time !== undefined) + Number(place !== undefined) > 1) {
    throw new UsageError("say one of --latest, --to-time and --to-lsn");
  }
  if (time !== undefined) {
    const at = new Date(ZONED_TIME.test(time) ? time : Number.NaN);
    if (!Number.isNaN(at.getTime())) return { kind: "time", at };
    throw new UsageError(
      `--to-time ${time} is no time with its zone, such as 2026-01-31T12:30:00Z`,
    );
  }
  if (place === undefined) return { kind: "latest" };
  const lsn = parseLsn(place);
  if (lsn !== undefined) return { kind: "lsn", lsn };
  throw new UsageError(`--to-lsn ${place} is no place in the log, such as 1/2A000028`);
}

function resultText({ backup, lsn, lastTransactionAt, timeline, term, tookMs }: Restored): string {
  const last = lastTransactionAt?.toISOString() ?? "none since the backup";
  const raised = term
    ? `was ${term.before} and is ${term.term}: a core may serve`
    : "there is none";
  return [
    `restored in ${(tookMs / 1000).toFixed(1)} s`,
    `  from       ${backup.name}`,
    `  up to      ${lsn}, last transaction ${last}`,
    `  timeline   ${timeline}`,
    `  core term  ${raised}`,
  ].join("\n");
}
