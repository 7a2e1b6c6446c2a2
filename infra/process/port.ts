/** TCP ports of this machine. */
import { randomInt } from "node:crypto";
import { statSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { systemClock } from "../../shared/clock.ts";
import { hasCode } from "./pid.ts";

/**
 * Free ports come from below those that systems hand out by themselves (from 32768 on Linux, from 49152
 * by RFC 6335): one of those may become the near end of any connection before its finder listens on it.
 */
const FIRST = 10_000;
const LAST = 32_000;
const MAX_TRIES = 10_000;
/** From the search for a port until somebody listens on it, at most: regions wait for their core. */
const CLAIMED_MS = 60_000;

/** A port that was free a moment ago; whoever uses it must be ready to try another. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no port is free");
  return port;
}

/** Different ports that were all free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  // All are held until the last is found, or the same one would be found twice.
  const held: Held[] = [];
  try {
    for (let tries = 0; held.length < count; tries += 1) {
      if (tries >= MAX_TRIES) throw new Error(`fewer than ${count} ports are free`);
      const found = await holdIfFree("127.0.0.1", randomInt(FIRST, LAST));
      if (!found) continue;
      if (claim(found.port)) held.push(found);
      else await found.release();
    }
    return held.map(({ port }) => port);
  } finally {
    await Promise.all(held.map(({ release }) => release()));
  }
}

/**
 * Of searches at the same time two may find one port, and the second to listen fails. Tests, which run beside each
 * other, name a folder (`PORT_CLAIMS`) in which each search leaves an empty file, by whose age the others know.
 * @returns whether nobody else has found that port lately
 */
function claim(port: number): boolean {
  const folder = process.env.PORT_CLAIMS;
  if (folder === undefined) return true;
  const path = join(folder, String(port));
  try {
    writeFileSync(path, "", { flag: "wx" });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) return true;
    const nowMs = systemClock.nowMs();
    const found = statSync(path, { throwIfNoEntry: false });
    if (found && nowMs - found.mtimeMs < CLAIMED_MS) return false;
    try {
      utimesSync(path, nowMs / 1_000, nowMs / 1_000);
    } catch {
      // Somebody has cleared the folder.
    }
  }
  return true;
}

/** Whether nothing listens on this port. Privileged ports one may not open count as taken. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  const held = await holdIfFree(host, port);
  await held?.release();
  return held !== undefined;
}

interface Held {
  readonly port: number;
  release(): Promise<void>;
}

async function holdIfFree(host: string, port: number): Promise<Held | undefined> {
  try {
    return await hold(host, port);
  } catch (error) {
    if (hasCode(error, "EADDRINUSE") || hasCode(error, "EACCES")) return undefined;
    throw error;
  }
}

function hold(host: string, port: number): Promise<Held> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      if (address === null || typeof address !== "object") return;
      const release = () => new Promise<void>((done) => server.close(() => done()));
      resolve({ port: address.port, release });
    });
  });
}
