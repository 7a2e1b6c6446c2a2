/** The fenced blocks of a Markdown page, to be executed as a reader would. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Block {
  /** `sh`, `diff`, `ts`, … */
  readonly kind: string;
  /** What stands after the kind: a file's path. */
  readonly file: string;
  readonly text: string;
}

const FENCED = /^```(\w+)[ \t]*(\S*)\n([\s\S]*?)^```$/gm;

export function blocksOf(page: string): Block[] {
  return Array.from(page.matchAll(FENCED), ([, kind = "", file = "", text = ""]) => {
    return { kind, file, text };
  });
}

/**
 * Changes a file as a `diff` block says: its lines with `-` become those with `+`.
 * @throws when the file has no such lines, or more than once: the page is wrong then
 */
export function applyDiff(root: string, { file, text }: Block): void {
  const lines = (sign: string) => {
    const chosen = text.split("\n").filter((line) => line.startsWith(sign));
    return chosen.map((line) => line.slice(1)).join("\n");
  };
  const path = join(root, file);
  const parts = readFileSync(path, "utf8").split(lines("-"));
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${lines("-")}`);
  writeFileSync(path, parts.join(lines("+")));
}

/** Matches what a page shows of an output, whatever its numbers and room ids. */
export function patternOf(shown: string): RegExp {
  const literal = shown.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const anyNumber = literal.replaceAll(/\d+(?:\\\.\d+)?/g, "[\\d.]+");
  return new RegExp(anyNumber.replaceAll(/room \S+ starts/g, "room \\S+ starts"));
}
