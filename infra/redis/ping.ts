/** Whether a Redis that somebody named can be used, asked once. */
import { Redis, type RedisOptions } from "ioredis";
import { parseRedisUrl } from "../../shared/redis/redis-url.ts";
import { groupOptions } from "../../shared/redis/sentinels.ts";

const PROBE_MS = 10_000;
const ONCE: RedisOptions = {
  lazyConnect: true,
  retryStrategy: () => null,
  connectTimeout: PROBE_MS,
  commandTimeout: PROBE_MS,
};
const unheard = { failed() {}, noneAnswers() {}, listening() {} };

/** @throws what the server, or the last of its Sentinels, failed with; ConfigError when the URL is wrong */
export async function pingRedis(url: string): Promise<void> {
  const address = parseRedisUrl(url);
  const client =
    address.kind === "server"
      ? new Redis(address.url, ONCE)
      : new Redis({
          ...groupOptions(address, unheard, Math.random),
          ...ONCE,
          failoverDetector: false,
          sentinelRetryStrategy: () => null,
        });
  let reason: Error | undefined;
  client.on("error", (error: Error) => {
    reason = error;
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    throw reason ?? error;
  } finally {
    client.disconnect();
  }
}
