/**
 * How a process starts and ends: its parts start in the order listed and stop in the reverse, each
 * within a deadline. The first SIGINT or SIGTERM drains and stops; a second one exits at once.
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
}

/** Starts the parts in order; when one fails, stops those already started, and throws its error. */
export async function startAll(parts: readonly Part[], log: Logger): Promise<void> {
  for (const [index, part] of parts.entries()) {
    try {
      await part.start?.();
    } catch (cause) {
      await stopAll(parts.slice(0, index), log);
      throw new Error(`${part.name} did not start`, { cause });
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
  let stopping = false;

  function shutDown(reason: string, exitCode: number): void {
    if (stopping) {
      log.warn({ reason, runbook: "process-failed" }, "second signal: exiting at once");
      process.exit(1);
    }
    stopping = true;
    log.info({ reason }, "stopping");
    systemClock.after(stopDeadlineMs, () => {
      log.error({ stopDeadlineMs, runbook: "process-failed" }, "did not stop within the deadline");
      process.exit(1);
    });
    void stopAll(parts, log).then(() => process.exit(exitCode));
  }

  process.on("SIGINT", () => shutDown("SIGINT", 0));
  process.on("SIGTERM", () => shutDown("SIGTERM", 0));
  process.on("uncaughtException", (err) => {
    log.fatal({ err, runbook: "process-failed" }, "uncaught exception");
    shutDown("uncaughtException", 1);
  });
  process.on("unhandledRejection", (err) => {
    log.fatal({ err, runbook: "process-failed" }, "unhandled rejection");
    shutDown("unhandledRejection", 1);
  });

  try {
    await startAll(parts, log);
    log.info("ready");
  } catch (err) {
    log.fatal({ err, runbook: "process-failed" }, "could not start");
    process.exit(1);
  }
}
