/** What things of a pair are called, in its servers and in a world's folder. */
import { join } from "node:path";
import type { MemberName } from "./mark.ts";

export interface PairNames {
  readonly slot: string;
  readonly login: string;
  /** How a standby calls itself at its primary. */
  readonly applicationOf: (name: MemberName) => string;
}

export const PAIR_NAMES: PairNames = {
  slot: "meridian_standby",
  login: "meridian_replication",
  applicationOf: (name) => `meridian_${name}`,
};

/** The files of a pair in a world's folder. */
export function pairFiles(dir: string) {
  return {
    dirs: { a: join(dir, "postgres"), b: join(dir, "postgres-b") },
    markFile: join(dir, "postgres-pair.json"),
  };
}
