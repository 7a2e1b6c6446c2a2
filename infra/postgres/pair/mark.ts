/**
 * Who is the primary, and whether the other may follow it by itself: a small file beside the data of both,
 * which outlives everybody. Whoever starts a server of the pair reads it first.
 *
 * It is written whole, and is on the disk when `writeMark` returns: what is done next may rely on it.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { hasCode } from "../../process/pid.ts";

export const MEMBERS = ["a", "b"] as const;
export type MemberName = (typeof MEMBERS)[number];

const PairMark = z.strictObject({
  primary: z.enum(MEMBERS),
  /** Rises with each promotion. Data of a standby counts only in the generation that it was copied in. */
  generation: z.int().min(1),
  /** Whether the standby has, and goes on getting, every commit that was ever acknowledged. */
  promotable: z.boolean(),
});
export type PairMark = z.infer<typeof PairMark>;

/** Of a pair that never was: the first member is the primary. */
export const FIRST_MARK: PairMark = { primary: "a", generation: 1, promotable: false };

export function otherMember(name: MemberName): MemberName {
  return name === "a" ? "b" : "a";
}

/** @returns undefined when there is none. @throws when it can't be understood */
export function readMark(path: string): PairMark | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    return PairMark.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${path} does not say which database is the primary`, { cause });
  }
}

export function writeMark(path: string, mark: PairMark): void {
  const next = `${path}.next`;
  writeFileSync(next, `${JSON.stringify(mark)}\n`, { mode: 0o600 });
  flush(next);
  renameSync(next, path);
  flush(dirname(path));
}

function flush(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
