/** For tests: documents and changes as fast-check makes them; few fields, so that changes meet. */
import fc from "fast-check";
import type { PlayerId } from "../ids.ts";
import type { Document, Json, OutboxItem, StateChange } from "../protocol/player-state.ts";
import type { FieldChanges } from "./change.ts";

const FIELDS = ["kills", "deaths", "name", "quest"];
/** Names of what every object has are not let in; the steps would do right by them all the same. */
const ALL_FIELDS = [...FIELDS, "valueOf", "constructor"];

const field = fc.constantFrom(...ALL_FIELDS);
const amount = fc.integer({ min: -1_000, max: 1_000 });
const value: fc.Arbitrary<Json> = fc.oneof(
  amount,
  fc.constantFrom<Json>("Ada", "", true, null, [1, "two"], { deep: { er: 1 } }),
);

export const someDocument: fc.Arbitrary<Document> = fc.dictionary(field, value, {
  noNullPrototype: true,
});

type Act = { readonly what: "set" | "add" | "unset" | "none"; value: Json; amount: number };
const act: fc.Arbitrary<Act> = fc.record({
  what: fc.constantFrom("set", "add", "unset", "none"),
  value,
  amount,
});

/** Each field is in one of the three at most. */
function fieldChanges(fields: readonly string[]): fc.Arbitrary<FieldChanges> {
  return fc.array(act, { minLength: fields.length, maxLength: fields.length }).map((acts) => {
    const set: Record<string, Json> = {};
    const add: Record<string, number> = {};
    const unset: string[] = [];
    acts.forEach((one, n) => {
      const name = fields[n] as string;
      if (one.what === "set") set[name] = one.value;
      if (one.what === "add") add[name] = one.amount;
      if (one.what === "unset") unset.push(name);
    });
    return {
      ...(Object.keys(set).length > 0 && { set }),
      ...(Object.keys(add).length > 0 && { add }),
      ...(unset.length > 0 && { unset }),
    };
  });
}

export const someFieldChanges = fieldChanges(ALL_FIELDS);

/** Changes and markers of these players, with few epochs, in any order. */
export function someItem(players: readonly PlayerId[]): fc.Arbitrary<OutboxItem> {
  const of = {
    playerId: fc.constantFrom(...players),
    stateEpoch: fc.constantFrom([1, 1], [1, 2], [2, 2]) as fc.Arbitrary<[number, number]>,
  };
  const change = fc
    .record({
      ...of,
      collection: fc.constantFrom("stats", "quests"),
      changes: fieldChanges(FIELDS),
    })
    .map(({ changes, ...rest }): StateChange => ({ ...rest, format: 1, ...changes }));
  const marker = fc.record({ ...of, release: fc.constant(true as const) });
  return fc.oneof({ weight: 5, arbitrary: change }, { weight: 1, arbitrary: marker });
}
