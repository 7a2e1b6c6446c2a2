/** TCP ports of this machine. */
import { createServer } from "node:net";
import { hasCode } from "./pid.ts";

/** A port that was free a moment ago; whoever uses it must be ready to try another. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no port is free");
  return port;
}

/** Different ports that were all free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  // All are held until the last is found, or the same one would be found twice.
  const held = await Promise.all(Array.from({ length: count }, () => hold("127.0.0.1", 0)));
  await Promise.all(held.map(({ release }) => release()));
  return held.map(({ port }) => port);
}

/** Whether nothing listens on this port. Privileged ports one may not open count as taken. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  try {
    const { release } = await hold(host, port);
    await release();
    return true;
  } catch (error) {
    if (hasCode(error, "EADDRINUSE") || hasCode(error, "EACCES")) return false;
    throw error;
  }
}

interface Held {
  readonly port: number;
  release(): Promise<void>;
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
