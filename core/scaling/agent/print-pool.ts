/** No place at all: what would be done is only said. */
import type { NodePool } from "./node-pool.ts";

export const printPool: NodePool = {
  name: "print",
  // Never called: an agent that only says what it would do orders nothing.
  async setNodes() {},
};
