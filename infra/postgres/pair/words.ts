/** What is done about the pair, in one line for people. */
import type { PairMark } from "./mark.ts";
import type { PairEffect, Seen } from "./pair-step.ts";

export function effectWords(effect: PairEffect, seen: Seen, mark: PairMark): string {
  switch (effect.type) {
    case "write_mark":
      return markWords(effect.mark, seen, mark);
    case "start_primary":
      return `… postgres ${effect.member} is started as the primary`;
    case "fence":
      return effect.member === mark.primary
        ? `✗ postgres ${effect.member}, the primary, does not answer: it is ended (runbook core-database-failover)`
        : `… postgres ${effect.member} is ended: it does not follow the primary`;
    case "promote":
      return `… postgres ${effect.member} is promoted`;
    case "announce":
      return `… postgres ${effect.member} serves as the primary, generation ${mark.generation}`;
    case "set_waits":
      return effect.on
        ? "… commits wait for the postgres standby"
        : "✗ commits do not wait for the postgres standby (runbook core-database-standby-lost)";
    case "settle":
      return "… postgres: all processes are to know that commits wait";
    case "build_standby":
      return `… postgres ${effect.member} is made anew from the primary`;
    case "start_standby":
      return `… postgres ${effect.member} is started as the standby`;
  }
}

export function downWords({ primary }: PairMark): string {
  return (
    `✗ postgres ${primary}, the primary, is gone, and its standby may lack what was acknowledged: ` +
    "everything waits for it (runbook core-database-failover)"
  );
}

function markWords(next: PairMark, { primary }: Seen, mark: PairMark): string {
  if (next.generation > mark.generation) {
    const why = primary.is === "silent" ? "did not answer" : "is gone";
    return `✗ postgres ${mark.primary}, the primary, ${why}: ${next.primary} follows it (runbook core-database-failover)`;
  }
  return next.promotable
    ? "✓ the postgres standby has everything: it may be promoted"
    : "✗ the postgres standby may not be promoted (runbook core-database-standby-lost)";
}
