/** The words and options of an operator's command. */
import { parseArgs } from "node:util";

/** The command line has a wrong form; shown with a hint at `--help`. */
export class UsageError extends Error {}

export interface Options {
  readonly json: boolean;
  readonly watch: boolean;
  readonly yes: boolean;
  readonly name?: string | undefined;
  readonly role?: string | undefined;
  readonly reason?: string | undefined;
  readonly until?: string | undefined;
  readonly player?: string | undefined;
  readonly at?: string | undefined;
  readonly verify: boolean;
  readonly expect?: string | undefined;
  readonly region?: string | undefined;
  readonly node?: string | undefined;
  readonly room?: string | undefined;
  readonly after?: string | undefined;
  readonly pace?: string | undefined;
  readonly "dry-run": boolean;
  readonly pause: boolean;
  readonly resume: boolean;
  readonly stop: boolean;
  readonly status: boolean;
  readonly players?: string | undefined;
  readonly build?: string | undefined;
  readonly hardware?: string | undefined;
  readonly level?: string | undefined;
  readonly "measured-at"?: string | undefined;
  readonly evidence?: string | undefined;
}

export function readArgs(args: string[]): { words: string[]; options: Options; help: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h", default: false },
        json: { type: "boolean", default: false },
        watch: { type: "boolean", default: false },
        yes: { type: "boolean", short: "y", default: false },
        name: { type: "string" },
        role: { type: "string" },
        reason: { type: "string" },
        until: { type: "string" },
        player: { type: "string" },
        at: { type: "string" },
        verify: { type: "boolean", default: false },
        expect: { type: "string" },
        region: { type: "string" },
        node: { type: "string" },
        room: { type: "string" },
        after: { type: "string" },
        pace: { type: "string" },
        "dry-run": { type: "boolean", default: false },
        pause: { type: "boolean", default: false },
        resume: { type: "boolean", default: false },
        stop: { type: "boolean", default: false },
        status: { type: "boolean", default: false },
        players: { type: "string" },
        build: { type: "string" },
        hardware: { type: "string" },
        level: { type: "string" },
        "measured-at": { type: "string" },
        evidence: { type: "string" },
      },
    });
    const { help, ...options } = values;
    return { words: positionals, options, help };
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
