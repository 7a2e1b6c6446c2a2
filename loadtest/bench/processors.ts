/** Which processor a process runs on: what it starts meanwhile runs there, too. Linux only. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const ALLOWED = /^Cpus_allowed_list:\s*(\S+)$/m;

/** Those that this process may run on; none where the system does not tell. */
export function allowedProcessors(): number[] {
  if (process.platform !== "linux") return [];
  const list = ALLOWED.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/** All threads of a process, this one by default, run there from now on, and what it starts from now on. */
export function moveTo(processor: number, pid = process.pid): void {
  execFileSync("taskset", ["-a", "-c", "-p", String(processor), String(pid)], {
    stdio: "ignore",
  });
}
