/** The most players that hold, found by the same steps for every way of loading. */
import {
  beginSearch,
  type CapacityPlan,
  nextOf,
  stepOf,
} from "../../load/capacity/capacity-step.ts";

export interface Tried {
  /** What is not as it should be; empty when all is. */
  readonly wrong: readonly string[];
  /** For people. */
  readonly words: string;
}

/** @returns the limit, and whether anything broke below the plan's most */
export async function findLimit(
  plan: CapacityPlan,
  tryWith: (players: number) => Promise<Tried>,
  say: (line: string) => void,
): Promise<{ readonly players: number; readonly broke: boolean }> {
  for (let search = beginSearch(plan); ; ) {
    const next = nextOf(search);
    if (next.kind === "limit") return next;
    const { wrong, words } = await tryWith(next.players);
    const isHeld = wrong.length === 0;
    const why = isHeld ? "" : `: ${wrong.join(", ")}`;
    say(`  ${isHeld ? "✓" : "✗"} ${next.players} players: ${words}${why}`);
    search = stepOf(search, isHeld);
  }
}
