/**
 * HAProxy in front of a pair of databases on this machine. Beside what `startHaproxy` keeps in `dir` there is
 * `haproxy.pid`: one that a killed parent left is ended before the next starts.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep, systemClock } from "../../shared/clock.ts";
import { endProcess, isAlive, workingDirectory } from "../process/pid.ts";
import { isPortFree } from "../process/port.ts";
import type { ServerProcess } from "../process/server-process.ts";
import { HAPROXY_STOP_STEPS, type HaproxyOptions, startHaproxy } from "./server.ts";

export interface DatabaseProxyOptions extends Omit<HaproxyOptions, "onSpawned"> {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Whether it can be used: it takes every member for up until it has asked. */
  readonly isReady: () => Promise<boolean>;
}

const HOST = "127.0.0.1";
const PID_FILE = "haproxy.pid";
const PORT_DEADLINE_MS = 2_000;
const POLL_MS = 25;

/** Resolves when it is ready. @throws one clear line when it does not in time */
export async function startDatabaseProxy(options: DatabaseProxyOptions): Promise<ServerProcess> {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const dir = realpathSync(options.dir);
  await stopLeftoverDatabaseProxy(dir);
  await requireFreePort(options.port);
  const onSpawned = (pid: number) => writeFileSync(join(dir, PID_FILE), `${pid}\n`);
  return await startHaproxy({ ...options, dir, onSpawned });
}

/** Ends the one of `dir`, if a killed parent left one. */
export async function stopLeftoverDatabaseProxy(dir: string): Promise<void> {
  const path = join(dir, PID_FILE);
  if (!existsSync(path)) return;
  const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
  // The number may be a stranger's by now.
  if (isAlive(pid) && workingDirectory(pid) === realpathSync(dir)) {
    await endProcess(pid, HAPROXY_STOP_STEPS);
  }
}

async function requireFreePort(port: number): Promise<void> {
  const endMs = systemClock.monotonicMs() + PORT_DEADLINE_MS;
  while (!(await isPortFree(HOST, port))) {
    if (systemClock.monotonicMs() >= endMs) {
      throw new Error(`port ${port} for HAProxy is in use: choose another`);
    }
    await sleep(systemClock, POLL_MS);
  }
}
