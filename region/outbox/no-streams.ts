/** Of a node without a Redis of its own, as benchmarks and tests have it: changes wait, and are lost with it. */
import { MeridianError } from "../../shared/errors.ts";
import type { Streams } from "./outbox-streams.ts";

export const noStreams: Streams = {
  open: refuse,
  append: refuse,
  isAt: refuse,
  trim: refuse,
  forget: refuse,
  live: refuse,
  fence: refuse,
  retire: refuse,
  isAlive: refuse,
  reserve: refuse,
  read: refuse,
  list: async () => [],
  onBack() {},
};

async function refuse(): Promise<never> {
  throw new MeridianError("unavailable", { message: "There is no Redis." });
}
