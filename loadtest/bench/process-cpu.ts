/** What processes of this machine have taken of its processors so far. */
import { readdirSync, readFileSync } from "node:fs";

/** Of the clock in which Linux counts; 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Fields of proc(5), counted from the state, which follows the name. */
const PARENT = 1;
const USER_TICKS = 11;
const CHILDREN_SYSTEM_TICKS = 14;

interface ProcessTimes {
  readonly parent: number;
  /** The process's own, and that of its children that have ended. */
  readonly seconds: number;
}

/**
 * CPU seconds of this process and of all that descend from it.
 * @returns undefined where there is no /proc to tell
 */
export function treeCpuSeconds(root: number): number | undefined {
  return treesCpuSeconds([root])?.[0];
}

/** The same of several, with one look at all processes. */
export function treesCpuSeconds(roots: readonly number[]): number[] | undefined {
  const all = readAll();
  if (!all) return undefined;
  return roots.map((root) => {
    let seconds = 0;
    const waiting = [root];
    for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
      seconds += all.get(pid)?.seconds ?? 0;
      for (const [child, { parent }] of all) if (parent === pid) waiting.push(child);
    }
    return seconds;
  });
}

/** Processes whose parent this one is; none where there is no /proc to tell. */
export function childrenOf(pid: number): number[] {
  const all = readAll() ?? new Map<number, ProcessTimes>();
  return [...all].filter(([, { parent }]) => parent === pid).map(([child]) => child);
}

/** CPU seconds of this process itself. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}

function readAll(): Map<number, ProcessTimes> | undefined {
  if (process.platform !== "linux") return undefined;
  const all = new Map<number, ProcessTimes>();
  for (const name of readdirSync("/proc")) {
    const times = /^\d+$/.test(name) ? readOne(name) : undefined;
    if (times) all.set(Number(name), times);
  }
  return all;
}

function readOne(pid: string): ProcessTimes | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name stands in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const times = fields.slice(USER_TICKS, CHILDREN_SYSTEM_TICKS + 1).map(Number);
    const ticks = times.reduce((sum, time) => sum + time, 0);
    return { parent: Number(fields[PARENT]), seconds: ticks / TICKS_PER_SECOND };
  } catch {
    // It ended between the two looks.
    return undefined;
  }
}
