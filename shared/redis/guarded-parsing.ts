/**
 * ioredis takes what a server says to a subscriber on trust: a reply that is none throws out of the socket's
 * event, which ends the process. With this it ends the connection, and is an error of it like others.
 */
import type { Socket } from "node:net";
import type { Redis } from "ioredis";

export function guardParsing(redis: Pick<Redis, "on">): void {
  redis.on("connect", () => {
    const { stream } = redis as unknown as { readonly stream: Socket };
    for (const parse of stream.listeners("data")) {
      const listener = parse as (chunk: Buffer) => void;
      stream.off("data", listener);
      stream.on("data", (chunk: Buffer) => {
        try {
          listener(chunk);
        } catch (error) {
          stream.destroy(error instanceof Error ? error : new Error(String(error)));
        }
      });
    }
  });
}
