/** What the games of a simulated world do to documents. */

import type { Chance } from "../../shared/chance.testkit.ts";
import type { FieldChanges } from "../../shared/player-state/change.ts";

/** Every field that a document may have. */
export const ALL_FIELDS = ["at", "count", "xp", "place", "buff", "quest"] as const;

/** @param note which tells owner and revision apart, wherever the change ends up */
export function someChange(chance: Chance, note: string): FieldChanges {
  const set: Record<string, string | number> = { at: note };
  const add: Record<string, number> = { count: 1 };
  const unset: string[] = [];
  switch (chance.below(6)) {
    case 0:
      add.xp = 1 + chance.below(9);
      break;
    case 1:
      set.xp = chance.below(9);
      break;
    case 2:
      set.place = chance.below(99);
      break;
    case 3:
      set.buff = chance.below(9);
      break;
    case 4:
      unset.push("buff");
      break;
    default:
      if (chance.once(2)) unset.push("quest");
      else add.quest = 1;
  }
  return { set, add, ...(unset.length > 0 && { unset }) };
}
