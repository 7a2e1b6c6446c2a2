/** `npm run drill`: the drill of test/backup/drill.ts in a world of its own, with a report. */
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startLocalWorld } from "../../infra/local/world.ts";
import { watchInterrupts } from "../../loadtest/bots/interrupts.ts";
import { systemClock } from "../../shared/clock.ts";
import { rejectedBy } from "../faults/called-off.ts";
import { WORLD_OPTIONS } from "../faults/campaign.ts";
import { auditText } from "../faults/value/audit.ts";
import { diaryAuditText } from "../faults/value/diary-audit.ts";
import { allRegionsActive } from "../world.ts";
import { type DrillResult, type Loss, runDrill } from "./drill.ts";

const USAGE = `Usage: npm run drill [-- options]

A world of its own with players who trade and write; its database is lost again and again, with all that it had on
its disk, and restored from a base backup and the archive while the regions play on. Ends with 1 when anything that a
player was told is lost or doubled, or an epoch was granted twice.

Options:
  --losses N    how often, by turns to the archive's end and to a time (4)
  --regions N   2 to 5 (3)
  --traders N   players per region, up to ten operations a second each (4)
  --ops N       operations between two steps (200)
  --seed N      of the players' choices
  --help        this text`;

/** Only the drill itself starts parts again. */
const RESTART_DELAY_MS = 3_600_000;
/** As a shell reports an end by Ctrl-C. */
const EXIT_INTERRUPTED = 130;
const SEED_MAX = 2 ** 31 - 1;

interface Options {
  readonly losses: number;
  readonly regions: number;
  readonly traders: number;
  readonly ops: number;
  readonly seed: number;
}

async function main(options: Options): Promise<number> {
  const { losses, regions, seed } = options;
  const dir = mkdtempSync(join(tmpdir(), "meridian-drill-"));
  const backupDir = join(dir, "backups");
  const stop = new AbortController();
  const kill = new AbortController();
  watchInterrupts({
    source: process,
    clock: systemClock,
    onAsked: () => stop.abort(),
    onForced: () => kill.abort(),
  });
  // The start-up script is gone: nobody reads the result any more.
  process.on("disconnect", () => stop.abort());
  try {
    console.log(`seed ${seed}: ${losses} losses of the database in a world of ${regions} regions`);
    const world = await startLocalWorld({
      ...{ ...WORLD_OPTIONS, dir: join(dir, "world"), backupDir, regions, pages: false },
      ...{ restartDelayMs: RESTART_DELAY_MS, signal: stop.signal, killSignal: kill.signal },
    });
    let result: DrillResult;
    try {
      await allRegionsActive(world);
      const drill = runDrill({
        ...{ world, backupDir, seed, say: (line) => console.log(line) },
        tradersPerRegion: options.traders,
        opsPerStep: options.ops,
        losses: Array.from({ length: losses }, (_, at) => (at % 2 === 0 ? "latest" : "time")),
      });
      result = await Promise.race([drill, rejectedBy(stop.signal)]);
    } finally {
      await world.stop();
    }
    console.log(report(result));
    rmSync(dir, { recursive: true, force: true });
    return 0;
  } catch (error) {
    if (stop.signal.aborted) {
      rmSync(dir, { recursive: true, force: true });
      console.log("called off");
      return EXIT_INTERRUPTED;
    }
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    console.error(`  the world's logs are in ${join(dir, "world/logs")}`);
    return 1;
  }
}

function report({ losses, audit, diaries }: DrillResult): string {
  return [
    "",
    "restored to  promised  forgotten  restored in  serving after  all there again after",
    ...losses.map(rowOf),
    "",
    auditText(audit),
    diaryAuditText(diaries),
    "no epoch was granted twice; money and items are what operations say",
  ].join("\n");
}

function rowOf({ target, promised, forgotten, restoreMs, servingMs, sentAgainMs }: Loss): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  return [
    target.padEnd(11),
    String(promised).padStart(8),
    String(forgotten).padStart(9),
    seconds(restoreMs).padStart(11),
    seconds(servingMs).padStart(13),
    seconds(servingMs + sentAgainMs).padStart(21),
  ].join("  ");
}

function parse(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      losses: { type: "string", default: "4" },
      regions: { type: "string", default: "3" },
      traders: { type: "string", default: "4" },
      ops: { type: "string", default: "200" },
      seed: { type: "string", default: String(randomInt(SEED_MAX)) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const whole = (name: keyof Options, min: number, max: number) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(`--${name} ${values[name]} is not a whole number from ${min} to ${max}`);
  };
  return {
    losses: whole("losses", 1, 1_000),
    regions: whole("regions", 2, 5),
    traders: whole("traders", 2, 16),
    ops: whole("ops", 1, 100_000),
    seed: whole("seed", 0, SEED_MAX),
  };
}

let options: Options | undefined;
try {
  options = parse(process.argv.slice(2));
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  console.error(`✗ ${line}\n  npm run drill -- --help lists the options`);
  process.exit(2);
}
if (!options) console.log(USAGE);
// Explicit, because a drill that was called off may still wait for something.
else process.exit(await main(options));
