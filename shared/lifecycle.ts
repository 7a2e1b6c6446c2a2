/**
 * How a process starts and ends: its parts start in the order listed and stop in the reverse, each
 * within a deadline. The first SIGINT or SIGTERM, or an error that nobody caught, drains and stops; a
 * second signal exits at once. An error while stopping does not: what remains of the drain may be saving
 * other people's games, and the deadline bounds it anyway.
 */
import type { Logger } from "pino";
import { systemClock } from "./clock.ts";

export interface Part {
  readonly name: string;
  start?(): Promise<void> | void;
  /** Finishes what is under way and takes nothing new; followed by `stop`. */
  drain?(): Promise<void>;
  stop?(): Promise<void> | void;
}

export interface ProcessOptions {
  readonly log: Logger;
  readonly parts: readonly Part[];
  /** All of drain and stop together may take this long before the process exits with 1. */
  readonly stopDeadlineMs: number;
  /** Ends the process at once when it resolves, without a drain: it must not go on with anything. */
  readonly ended?: Promise<string>;
}

/** A part that did not start; its `cause` says why. */
export class StartFailure extends Error {
  constructor(part: string, cause: unknown) {
    super(`${part} did not start`, { cause });
    this.name = "StartFailure";
  }
}

/** Starts the parts in order; when one fails, stops those already started, and throws its error. */
export async function startAll(parts: readonly Part[], log: Logger): Promise<void> {
  for (const [index, part] of parts.entries()) {
    try {
      await part.start?.();
    } catch (cause) {
      await stopAll(parts.slice(0, index), log);
      throw new StartFailure(part.name, cause);
    }
  }
}

/** Drains, then stops all parts, last first. A part that fails is logged and does not hold the rest. */
export async function stopAll(parts: readonly Part[], log: Logger): Promise<void> {
  const reversed = [...parts].reverse();
  for (const phase of ["drain", "stop"] as const) {
    for (const part of reversed) {
      try {
        await part[phase]?.();
      } catch (err) {
        log.error(
          { err, part: part.name, phase, runbook: "process-failed" },
          "a part failed while stopping",
        );
      }
    }
  }
}

/**
 * Runs a whole process from its parts until a signal or a fatal error ends it. Only `main.ts` files
 * call this: nothing else handles signals or exits.
 */
export async function runProcess(options: ProcessOptions): Promise<void> {
  const { log, parts, stopDeadlineMs } = options;
  let signals = 0;
  let stopping = false;
  let exitCode = 0;

  function shutDown(reason: string): void {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, "stopping");
    systemClock.after(stopDeadlineMs, () => {
      log.error({ stopDeadlineMs, runbook: "process-failed" }, "did not stop within the deadline");
      process.exit(1);
    });
    void stopAll(parts, log).then(() => process.exit(exitCode));
  }

  function signalled(signal: "SIGINT" | "SIGTERM"): void {
    signals += 1;
    if (signals > 1) {
      log.warn({ signal, runbook: "process-failed" }, "second signal: exiting at once");
      process.exit(1);
    }
    shutDown(signal);
  }

  function failed(err: unknown, reason: "uncaughtException" | "unhandledRejection"): void {
    log.fatal({ err, reason, stopping, runbook: "process-failed" }, "an error that nobody caught");
    exitCode = 1;
    shutDown(reason);
  }

  void options.ended?.then((reason) => {
    log.fatal({ reason, runbook: "process-failed" }, "ending at once");
    process.exit(1);
  });
  process.on("SIGINT", () => signalled("SIGINT"));
  process.on("SIGTERM", () => signalled("SIGTERM"));
  process.on("uncaughtException", (err) => failed(err, "uncaughtException"));
  process.on("unhandledRejection", (err) => failed(err, "unhandledRejection"));

  try {
    await startAll(parts, log);
    log.info("ready");
  } catch (err) {
    log.fatal({ err, runbook: "process-failed" }, "could not start");
    process.exit(1);
  }
}
