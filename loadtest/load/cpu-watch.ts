/** What k6, the servers and everything else take of this machine's processors, from one look to the next. */
import { cpus } from "node:os";
import { treesCpuSeconds } from "../bench/process-cpu.ts";
import type { Cpu } from "./generator.ts";

export interface CpuRoots {
  readonly k6: number;
  /** Undefined where they run on other machines. */
  readonly servers: readonly number[] | undefined;
}

interface Look {
  readonly atMs: number;
  /** By process. */
  readonly seconds: ReadonlyMap<number, number>;
  readonly busyMs: number;
  readonly allMs: number;
}

export class CpuWatch {
  readonly #roots: () => CpuRoots;
  readonly #monotonicMs: () => number;
  #last: Look | undefined;

  /** @param roots asked at each look: servers come and go */
  constructor(roots: () => CpuRoots, monotonicMs: () => number) {
    this.#roots = roots;
    this.#monotonicMs = monotonicMs;
  }

  /** Since the look before; undefined at the first, and where the system does not tell. */
  look(): Cpu | undefined {
    const { k6, servers } = this.#roots();
    const pids = [k6, ...(servers ?? [])];
    const seconds = treesCpuSeconds(pids);
    if (!seconds) return undefined;
    const now: Look = {
      atMs: this.#monotonicMs(),
      seconds: new Map(pids.map((pid, at) => [pid, seconds[at] ?? 0])),
      ...machineTimes(),
    };
    const before = this.#last;
    this.#last = now;
    const passedS = before ? (now.atMs - before.atMs) / 1_000 : 0;
    if (!before || passedS <= 0) return undefined;
    const took = (pid: number) => {
      const then = before.seconds.get(pid);
      // One that has just started, or has ended meanwhile, is left out of this look.
      return then === undefined ? 0 : Math.max(0, (now.seconds.get(pid) ?? 0) - then) / passedS;
    };
    const allMs = now.allMs - before.allMs;
    return {
      k6: rounded(took(k6)),
      servers: servers ? rounded(servers.reduce((sum, pid) => sum + took(pid), 0)) : null,
      busy: allMs > 0 ? rounded((now.busyMs - before.busyMs) / allMs) : 0,
    };
  }
}

function machineTimes(): { readonly busyMs: number; readonly allMs: number } {
  let busyMs = 0;
  let allMs = 0;
  for (const { times } of cpus()) {
    const { user, nice, sys, irq, idle } = times;
    busyMs += user + nice + sys + irq;
    allMs += user + nice + sys + irq + idle;
  }
  return { busyMs, allMs };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
