/** Without a Redis of its own the core keeps the queue in memory, and in the tokens of those who wait. */
import type { Holds } from "./admission.ts";
import type { Mirror } from "./waiting-log.ts";

export const noMirror: Mirror = {
  load: async () => undefined,
  note: () => undefined,
};

/** The regions themselves are the authority on their seats. */
export const noHolds: Holds = {
  take: async () => true,
  release: () => undefined,
};
