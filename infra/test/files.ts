/**
 * Runs test files, each in a process of its own, and prints each one's results together once it is done.
 *
 * Two at a time on two cores. Those of `test/` start whole worlds, which keep both cores busy while they do,
 * and their players notice a machine that is too busy. So one of these runs at a time beside another file, and
 * two once nothing else is left. Three at a time took 470 s in place of 530, and deadlines were missed. Only
 * those that mostly wait run beside these two, one at a time: all together they use 0.3 of a core.
 */
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { systemClock } from "../../shared/clock.ts";

const FILES_AT_ONCE = 2;
const WORLDS_BESIDE_OTHERS = 1;
const WORLDS_ALONE = 2;
const WORLDS = "test/";
/** They wait for real deadlines: 260 s, of which they compute for 70. */
const WAITING: ReadonlySet<string> = new Set([
  "core/admission/admission.test.ts",
  "core/admission/queue-mirror.test.ts",
  "core/db/hang.test.ts",
  "core/failover/evacuation.test.ts",
  "core/failover/failover.test.ts",
  "core/http/openapi.test.ts",
  "core/join/entry-desk.test.ts",
  "core/profiles/profiles.test.ts",
  "infra/local/world-lock.test.ts",
  "infra/postgres/embedded.test.ts",
  "region/link/core-way.test.ts",
  "region/matchmaking/matchmaker.test.ts",
  "region/node/node.test.ts",
  "region/redis/region-redis.test.ts",
  "region/redis/sharing.test.ts",
  "region/replication/copied-room.test.ts",
  "region/replication/replication.test.ts",
  "region/transport/strangers.test.ts",
  "shared/http-server.test.ts",
  "test/queue-loss/queue-loss.test.ts",
]);
const SLOWEST_SHOWN = 15;
const FAILED_CHARS_MAX = 4_000;
const LINGERING = new URL("lingering.ts", import.meta.url).href;
/** What a run says of itself at its end, here of each file. */
const TOTALS = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

export interface RunOptions {
  /** A file that takes longer has failed. */
  readonly fileMsMax: number;
  /** Ends what runs, and begins nothing more. */
  readonly signal: AbortSignal;
}

interface Outcome {
  readonly file: string;
  readonly ms: number;
  readonly success: boolean;
  readonly tests: number;
  readonly passed: number;
  readonly skipped: number;
  /** What there is to read of it. */
  readonly text: string;
}

/**
 * @param files by their paths from the working directory, which the tests get as well
 * @returns whether every test of every file passed
 */
export async function runFiles(files: readonly string[], options: RunOptions): Promise<boolean> {
  const beganMs = systemClock.monotonicMs();
  const queue = new FileQueue(files.filter((file) => !WAITING.has(file)));
  const waiting = new FileQueue(files.filter((file) => WAITING.has(file)));
  const outcomes: Outcome[] = [];
  async function work(from: FileQueue): Promise<void> {
    for (let file = from.take(); file !== undefined; file = from.take()) {
      if (options.signal.aborted) return;
      const outcome = await runFile(file, options);
      from.done(file);
      outcomes.push(outcome);
      process.stdout.write(outcome.text);
    }
  }
  const workers = Array.from({ length: FILES_AT_ONCE }, () => work(queue));
  await Promise.all([...workers, work(waiting)]);
  console.log(summary(outcomes, systemClock.monotonicMs() - beganMs));
  return !options.signal.aborted && outcomes.every(({ success }) => success);
}

/** Which file comes next. */
class FileQueue {
  readonly #worlds: string[];
  readonly #others: string[];
  #worldsRunning = 0;

  constructor(files: readonly string[]) {
    this.#worlds = files.filter((file) => file.startsWith(WORLDS));
    this.#others = files.filter((file) => !file.startsWith(WORLDS));
  }

  /** @returns undefined when there is nothing left for whoever asks */
  take(): string | undefined {
    const worldsMax = this.#others.length > 0 ? WORLDS_BESIDE_OTHERS : WORLDS_ALONE;
    if (this.#worlds.length === 0 || this.#worldsRunning >= worldsMax) return this.#others.shift();
    this.#worldsRunning += 1;
    return this.#worlds.shift();
  }

  done(file: string): void {
    if (file.startsWith(WORLDS)) this.#worldsRunning -= 1;
  }
}

async function runFile(file: string, options: RunOptions): Promise<Outcome> {
  const { fileMsMax: timeout, signal } = options;
  const beganMs = systemClock.monotonicMs();
  const reporter = new spec();
  let text = "";
  reporter.on("data", (chunk) => {
    text += String(chunk);
  });
  const outcome = { success: false, tests: 0, passed: 0, skipped: 0 };
  const execArgv = ["--import", LINGERING];
  for await (const event of run({ files: [file], timeout, signal, execArgv })) {
    if (event.type === "test:summary" && event.data.file === undefined) {
      const { counts, success } = event.data;
      const { tests, passed, skipped } = counts;
      Object.assign(outcome, { success, tests, passed, skipped });
    }
    const isTotal = event.type === "test:diagnostic" && TOTALS.test(event.data.message);
    if (!isTotal) reporter.write(event);
  }
  reporter.end();
  await new Promise((resolve) => reporter.once("end", resolve));
  const ms = systemClock.monotonicMs() - beganMs;
  return { file, ms, ...outcome, text: `${file}, ${seconds(ms)}\n${text}` };
}

function summary(outcomes: readonly Outcome[], ms: number): string {
  const sum = (count: (outcome: Outcome) => number) =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const [tests, passed, skipped] = [
    sum((outcome) => outcome.tests),
    sum((outcome) => outcome.passed),
    sum((outcome) => outcome.skipped),
  ];
  const slowest = outcomes.toSorted((one, other) => other.ms - one.ms).slice(0, SLOWEST_SHOWN);
  const failed = outcomes.filter(({ success }) => !success);
  return [
    "",
    // Once more: whoever has only the end of a log finds what went wrong there.
    ...failed.map(({ text }) => `failed: ${text.slice(0, FAILED_CHARS_MAX)}`),
    "slowest files:",
    ...slowest.map(({ file, ms: took }) => `  ${seconds(took).padStart(7)}  ${file}`),
    ...failed.map(({ file }) => `✖ ${file} failed`),
    `ℹ tests ${tests}`,
    `ℹ pass ${passed}`,
    `ℹ fail ${tests - passed - skipped}`,
    `ℹ skipped ${skipped}`,
    `ℹ duration_ms ${Math.round(ms)}`,
  ].join("\n");
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
