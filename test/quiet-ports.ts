/** Ports that nothing else takes between this look and their use: below those that systems hand out. */
import { isPortFree } from "../infra/process/port.ts";

const FIRST = 10_000;
const STEP = 200;
/** Test files that run at the same time begin at different places. */
const PLACES = 100;

/** @returns the first of `count` free ports in a row */
export async function quietPorts(count: number): Promise<number> {
  for (let base = FIRST + (process.pid % PLACES) * STEP; ; base += STEP) {
    const ports = Array.from({ length: count }, (_, index) => base + index);
    const free = await Promise.all(ports.map((port) => isPortFree("127.0.0.1", port)));
    if (free.every(Boolean)) return base;
  }
}
