/**
 * One process at a time works on the base backups of a folder. The lock names it by number and birth, so that one
 * left by a killed process is told from that of a living one. It appears whole, by a link.
 */
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { birthOf, hasCode } from "../process/pid.ts";

const Holder = z.object({ pid: z.number().int(), birth: z.string() });

/**
 * @returns what releases it
 * @throws one clear line when another process has it
 */
export function lockFolder(path: string): () => void {
  mkdirSync(dirname(path), { recursive: true });
  const birth = birthOf(process.pid);
  if (birth === undefined) throw new Error("this process can't be told from others on this system");
  const next = `${path}.${randomUUID()}`;
  writeFileSync(next, JSON.stringify({ pid: process.pid, birth }), { mode: 0o600 });
  try {
    if (!tryLink(next, path)) {
      const found = readHolder(path);
      if (found && birthOf(found.pid) === found.birth) throw new Error(busy(path, found.pid));
      clearStale(path, found?.birth);
      if (!tryLink(next, path)) throw new Error(busy(path, readHolder(path)?.pid));
    }
  } finally {
    rmSync(next);
  }
  return () => rmSync(path, { force: true });
}

function tryLink(next: string, path: string): boolean {
  try {
    linkSync(next, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** Moved aside first: of two that find it stale, one must not delete the other's new one. */
function clearStale(path: string, birth: string | undefined): void {
  const aside = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  if (readHolder(aside)?.birth !== birth) tryLink(aside, path);
  rmSync(aside);
}

function readHolder(path: string): z.infer<typeof Holder> | undefined {
  try {
    return Holder.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // Released meanwhile, or not one of ours: nobody holds it.
    return undefined;
  }
}

function busy(path: string, pid: number | undefined): string {
  const who = pid === undefined ? "another process" : `process ${pid}`;
  return `${who} works on these backups (${path}): wait for its end`;
}
