/**
 * One world a folder. The lock file names the process that holds it and those it started; each with
 * the moment it was born, so that a number that was given to another process since is not mistaken for
 * it. A lock whose holder is gone is taken over, and what is left of its processes is ended first.
 *
 * A lock appears whole, by a link, and a stale one is moved aside before it is replaced, so of two starts
 * at the same moment one wins.
 */
import { randomUUID } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { sleep, systemClock } from "../../shared/clock.ts";
import { birthOf, endProcess, hasCode } from "../process/pid.ts";

const ProcessRecord = z.object({ name: z.string(), pid: z.number().int(), birth: z.string() });
const LockFile = z.object({
  holder: ProcessRecord,
  children: z.array(ProcessRecord),
  /** The holder is on its way out. */
  ending: z.boolean().default(false),
});
type ProcessRecord = z.infer<typeof ProcessRecord>;

export interface WorldLock {
  /** Notes a process that this world started, in place of an earlier one of that name. */
  note(name: string, pid: number): void;
  /** Says that the world is about to end: the next start waits for it instead of giving up. */
  ending(): void;
  release(): void;
}

/** They notice by themselves that the world is gone; only a hanging one needs the second step. */
const NOTICE_MS = 1_000;
const KILL_MS = 2_000;
/** A world has 5 s for its end. */
const ENDING_MS = 8_000;
/** A holder that was just killed, or whose terminal was, shows it within that. */
const DYING_MS = 1_000;
const LOOK_MS = 50;

/** @throws one clear line when a world runs in this folder */
export async function lockWorld(dir: string): Promise<WorldLock> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, "world.json");
  const children = new Map<string, ProcessRecord>();
  const holder = record("world", process.pid);
  if (!holder) throw new Error("this process can't be told from others on this system");

  const next = `${path}.${randomUUID()}`;
  let ending = false;
  const write = () => {
    const content: z.infer<typeof LockFile> = { holder, children: [...children.values()], ending };
    writeFileSync(next, JSON.stringify(content), { mode: 0o600 });
  };
  write();
  try {
    await take(path, () => linkSync(next, path));
  } finally {
    rmSync(next);
  }
  return {
    note(name, pid) {
      const child = record(name, pid);
      if (child) children.set(name, child);
      write();
      renameSync(next, path);
    },
    ending() {
      ending = true;
      write();
      renameSync(next, path);
    },
    release: () => rmSync(path, { force: true }),
  };
}

async function take(path: string, create: () => void): Promise<void> {
  try {
    create();
    return;
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
  const found = await whenLeft(path);
  for (const child of found?.children ?? []) {
    if (!runs(child)) continue;
    await endProcess(child.pid, [
      ["SIGCONT", NOTICE_MS],
      ["SIGKILL", KILL_MS],
    ]);
  }
  try {
    if (existsSync(path)) moveAside(path, found);
    create();
  } catch (error) {
    if (!hasCode(error, "ENOENT") && !hasCode(error, "EEXIST")) throw error;
    throw new Error(running(read(path)?.holder.pid), { cause: error });
  }
}

function moveAside(path: string, found: z.infer<typeof LockFile> | undefined): void {
  const aside = `${path}.stale-${process.pid}`;
  renameSync(path, aside);
  // Another start was quicker, and this is its lock.
  if (read(aside)?.holder.birth !== found?.holder.birth) linkSync(aside, path);
  rmSync(aside);
}

/**
 * What the lock says once its holder is gone; undefined when it took the lock with it.
 * @throws one clear line when the holder stays
 */
async function whenLeft(path: string): Promise<z.infer<typeof LockFile> | undefined> {
  const beganMs = systemClock.monotonicMs();
  for (;;) {
    const found = read(path);
    if (!found || !runs(found.holder)) return found;
    const waitsMs = found.ending ? ENDING_MS : DYING_MS;
    if (systemClock.monotonicMs() - beganMs > waitsMs) throw new Error(running(found.holder.pid));
    await sleep(systemClock, LOOK_MS);
  }
}

function running(pid: number | undefined): string {
  const who = pid === undefined ? "" : ` (process ${pid})`;
  return `a local world runs here already${who}: end it with Ctrl-C first`;
}

function read(path: string): z.infer<typeof LockFile> | undefined {
  try {
    return LockFile.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // Gone meanwhile, or not one of ours: it has no holder.
    return undefined;
  }
}

function record(name: string, pid: number): ProcessRecord | undefined {
  const birth = birthOf(pid);
  return birth === undefined ? undefined : { name, pid, birth };
}

function runs({ pid, birth }: ProcessRecord): boolean {
  return birthOf(pid) === birth;
}
