/**
 * Keeps one part of the world running: when it ends by itself it says so in one line, waits, and starts
 * it again. The wait doubles with each end that follows soon after a start, up to `RESTART_DELAY_MAX_MS`,
 * and is never shorter than asked for: a test that wants a part to stay away asks for longer.
 */
import type { Cancel, Clock } from "../../shared/clock.ts";
import { signalProcess } from "../process/pid.ts";
import type { ServerProcess } from "../process/server-process.ts";

export interface SupervisorOptions {
  /** For people: `region beijing`. */
  readonly name: string;
  /**
   * Starts the part and resolves when it is ready; gives up when the signal aborts.
   * @param predecessor runs still: the new one takes over from it, or leaves it as it is
   */
  readonly start: (signal: AbortSignal, predecessor?: ServerProcess) => Promise<ServerProcess>;
  /** What it means when the part is gone: `players are told`. */
  readonly consequence: string;
  readonly restartDelayMs: number;
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

const RESTART_DELAY_MAX_MS = 60_000;
/** Having run this long, a part counts as healthy again. */
const HEALTHY_MS = 30_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #abort = new AbortController();
  #running: ServerProcess | undefined;
  /** Told to leave what it has to its next life. */
  #leaving: ServerProcess | undefined;
  #starting: Promise<void> | undefined;
  #cancelRestart: Cancel | undefined;
  #startedMs = 0;
  #endsInARow = 0;
  /** Killed to stay away. */
  #isOut = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** The first start. @throws when the part does not become ready */
  async start(): Promise<void> {
    await this.#launch();
  }

  /** Sends a signal to the part's process; what follows is as if it had come from elsewhere. */
  kill(signal: NodeJS.Signals): void {
    const pid = this.pid;
    if (pid === undefined) throw new Error(`${this.#options.name} does not run`);
    process.kill(pid, signal);
  }

  /** Kills the part at once; it stays away until `restart`. */
  knockOut(): void {
    this.#isOut = true;
    this.#cancelRestart?.();
    const { pid } = this;
    if (pid !== undefined) signalProcess(pid, "SIGKILL");
  }

  /** Starts the part anew, now; resolves when it is ready. */
  async restart(): Promise<void> {
    this.#isOut = false;
    this.#cancelRestart?.();
    await this.#starting;
    const before = this.#running;
    this.#running = undefined;
    await before?.stop();
    await this.#launch();
  }

  /**
   * Starts the part anew beside the running one, which leaves it what it has and ends.
   * @throws when the new one does not start: the former one runs on, unless it had left already
   */
  async succeed(): Promise<void> {
    await this.#starting;
    const before = this.#running;
    if (!before) throw new Error(`${this.name} does not run`);
    this.#leaving = before;
    let left = false;
    void before.ended.then(() => {
      left = true;
    });
    try {
      await this.#launch(before);
    } catch (error) {
      if (left && !this.#abort.signal.aborted) this.#ended(before, "ended without a successor");
      throw error;
    } finally {
      this.#leaving = undefined;
    }
  }

  /** Ends the part for good. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancelRestart?.();
    // A start that is under way ends what it began; how it failed does not matter any more.
    await this.#starting?.catch(() => {});
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }

  async #launch(predecessor?: ServerProcess): Promise<void> {
    this.#starting = this.#startOnce(predecessor);
    try {
      await this.#starting;
    } finally {
      this.#starting = undefined;
    }
  }

  async #startOnce(predecessor?: ServerProcess): Promise<void> {
    const { clock, start } = this.#options;
    const { signal } = this.#abort;
    const running = await start(signal, predecessor);
    if (signal.aborted || this.#isOut) {
      await running.stop();
      return;
    }
    this.#running = running;
    this.#startedMs = clock.monotonicMs();
    void running.ended.then((how) => {
      if (this.#running !== running || this.#leaving === running) return;
      this.#ended(running, `ended (${how})`);
    });
  }

  #ended(running: ServerProcess, what: string): void {
    if (this.#running === running) this.#running = undefined;
    const lived = this.#options.clock.monotonicMs() - this.#startedMs;
    this.#endsInARow = lived >= HEALTHY_MS ? 1 : this.#endsInARow + 1;
    this.#scheduleRestart(what);
  }

  #scheduleRestart(what: string): void {
    const { name, consequence, restartDelayMs, clock, report } = this.#options;
    if (this.#isOut) {
      report(`✗ ${name} ${what}; ${consequence}; it stays away until it is started again`);
      return;
    }
    const mostMs = Math.max(restartDelayMs, RESTART_DELAY_MAX_MS);
    const delayMs = Math.min(restartDelayMs * 2 ** (this.#endsInARow - 1), mostMs);
    report(`✗ ${name} ${what}; ${consequence}; restarting in ${(delayMs / 1000).toFixed(0)} s`);
    this.#cancelRestart = clock.after(delayMs, () => {
      const beganMs = clock.monotonicMs();
      this.#launch().then(
        () => {
          if (this.#abort.signal.aborted) return;
          const seconds = ((clock.monotonicMs() - beganMs) / 1000).toFixed(1);
          report(`✓ ${name} runs again ${seconds} s`);
        },
        (error: unknown) => {
          if (this.#abort.signal.aborted) return;
          this.#endsInARow += 1;
          const why = error instanceof Error ? error.message : String(error);
          this.#scheduleRestart(`did not start: ${why}`);
        },
      );
    });
  }
}
