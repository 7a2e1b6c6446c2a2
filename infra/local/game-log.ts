/**
 * Shows on the terminal what game code did wrong, as it happens: of a node's log the lines about
 * failed rooms and refused messages, each as one line with the place in the game's file. The same
 * line is shown once until the code changed, since a tick that fails does so 20 times a second.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { relative } from "node:path";
import { z } from "zod";
import type { Cancel, Clock } from "../../shared/clock.ts";

const LOOK_EVERY_MS = 300;
const READ_BYTES_MAX = 65_536;
const SHOWN_MAX = 200;
/** A stack's first line within a game. */
const PLACE = /(?:file:\/\/)?(\/[^\s()]*\/region\/games\/[^\s():]+:\d+)/;

const Failed = z.object({
  msg: z.literal("a room failed"),
  game: z.string(),
  method: z.string(),
  err: z.object({ message: z.string(), stack: z.string().default("") }),
});
const Refused = z.object({
  msg: z.literal("a message was refused"),
  game: z.string(),
  reason: z.string(),
});

/** What of a log line is for whoever writes the game; undefined for any other line. */
export function gameProblem(line: string, root: string): string | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    // Not of the log: something that Node printed by itself.
    return undefined;
  }
  const refused = Refused.safeParse(entry).data;
  if (refused) return `✗ ${refused.game}: a message was refused: ${refused.reason}`;
  const failed = Failed.safeParse(entry).data;
  if (!failed) return undefined;
  const place = PLACE.exec(failed.err.stack)?.[1];
  const where = place ? ` (${relative(root, place)})` : "";
  return `✗ ${failed.game}: ${failed.method} threw: ${firstLine(failed.err.message)}${where}`;
}

export class GameLog {
  readonly #path: string;
  readonly #root: string;
  readonly #report: (line: string) => void;
  readonly #shown = new Set<string>();
  #offset: number;
  #rest = "";

  /** @param root of the checkout, to which shown paths are relative */
  constructor(path: string, root: string, report: (line: string) => void) {
    this.#path = path;
    this.#root = root;
    this.#report = report;
    this.#offset = this.#sizeNow();
  }

  /** Follows the log until cancelled. */
  follow(clock: Clock): Cancel {
    return clock.every(LOOK_EVERY_MS, () => this.look());
  }

  /** The code is another: what was shown before may be shown again. */
  forget(): void {
    this.#shown.clear();
  }

  /** Shows what was written since the last look. */
  look(): void {
    const lines = `${this.#rest}${this.#readOn()}`.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const problem = gameProblem(line, this.#root);
      if (!problem || this.#shown.has(problem) || this.#shown.size >= SHOWN_MAX) continue;
      this.#shown.add(problem);
      this.#report(problem);
    }
  }

  #sizeNow(): number {
    return this.#withFile((file) => fstatSync(file).size) ?? 0;
  }

  #readOn(): string {
    return (
      this.#withFile((file) => {
        const { size } = fstatSync(file);
        // A log that grew too large was begun anew.
        if (size < this.#offset) this.#offset = 0;
        const buffer = Buffer.alloc(Math.min(READ_BYTES_MAX, size - this.#offset));
        const bytes = readSync(file, buffer, 0, buffer.length, this.#offset);
        this.#offset += bytes;
        return buffer.toString("utf8", 0, bytes);
      }) ?? ""
    );
  }

  #withFile<T>(read: (file: number) => T): T | undefined {
    let file: number;
    try {
      file = openSync(this.#path, "r");
    } catch {
      // Nothing was logged yet.
      return undefined;
    }
    try {
      return read(file);
    } finally {
      closeSync(file);
    }
  }
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
