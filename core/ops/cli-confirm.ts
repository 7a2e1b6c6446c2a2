/** Asks whoever sits at the terminal, before something that can't be undone. */
import { createInterface } from "node:readline/promises";

/** Shows a question and answers what was typed. */
export type Ask = (question: string) => Promise<string>;

export interface Confirmation {
  /** Done without being asked. */
  readonly yes: boolean;
  /** Undefined where nobody sits. */
  readonly ask: Ask | undefined;
}

/** Where there is a terminal. */
export function terminalAsk(): Ask | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await terminal.question(question);
    } finally {
      terminal.close();
    }
  };
}

/**
 * Resolves when the name was typed, or `--yes` was said before.
 * @param what will happen, in numbers
 * @throws when nobody can be asked, or something else was typed
 */
export async function requireConfirmed(
  { yes, ask }: Confirmation,
  { command, name, what }: { command: string; name: string; what: () => Promise<string> },
): Promise<void> {
  if (yes) return;
  if (!ask) throw new Error(`${command} moves or ends rooms: say --yes where nobody can be asked`);
  const typed = await ask(`${await what()}\nType ${name} to go on: `);
  if (typed.trim() !== name) throw new Error("nothing was done");
}
