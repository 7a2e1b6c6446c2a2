/** For tests: JSON bodies that are nearly right, or text that is nearly JSON. */
import assert from "node:assert/strict";
import type { Chance } from "./chance.testkit.ts";
import { ErrorBody, errorKinds } from "./errors.ts";

/** Each as it stands in the text: `JSON.stringify` can't write all of them. */
const ODD_VALUES = [
  "null",
  "true",
  "0",
  "-1",
  "0.5",
  "1e308",
  "1e999",
  "9007199254740993",
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u202e"',
  '"__proto__"',
  '"../../etc/passwd"',
  `"' or 1=1 --"`,
  "[]",
  "{}",
  '{"__proto__":{"admin":true}}',
  '{"constructor":{"prototype":{}}}',
  '{"toString":1,"then":1,"toJSON":1}',
  `"${"x".repeat(5_000)}"`,
  `${"[".repeat(6_000)}${"]".repeat(6_000)}`,
  `${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`,
  `[${"0,".repeat(5_000)}0]`,
];
/** Stands for an odd value while the rest is written as JSON. */
const HOLE = "hole-for-an-odd-value";

/** The text of that body with one to three things wrong. */
export function mutatedJson(body: unknown, chance: Chance): string {
  const copy = structuredClone(body);
  for (let left = chance.below(3); left > 0; left -= 1) mutateSomewhere(copy, chance);
  let text = JSON.stringify(copy) ?? "";
  text = text.replaceAll(`"${HOLE}"`, () => chance.of(ODD_VALUES));
  if (chance.once(6)) return chance.of(ODD_VALUES);
  return chance.once(4) ? mutatedText(text, chance) : text;
}

/**
 * Whether an answer is what bad input gets: a success, or a failure of the catalogue that says whose
 * fault it is, and never `internal`.
 */
export function assertTyped(status: number, body: unknown, sent: string): void {
  if (status < 300) return;
  const failure = ErrorBody.safeParse(body);
  const what = `${status} ${JSON.stringify(body)} for ${sent.slice(0, 300)}`;
  assert.ok(failure.success, what);
  const { kind } = failure.data.error;
  assert.ok(kind !== "internal" && errorKinds().some((known) => known === kind), what);
}

function mutateSomewhere(value: unknown, chance: Chance): void {
  if (typeof value !== "object" || value === null) return;
  const keys = Object.keys(value);
  const key =
    keys.length > 0 && !chance.once(8) ? chance.of(keys) : chance.of(["x", "kind", "a.b"]);
  const inner: unknown = Reflect.get(value, key);
  if (typeof inner === "object" && inner !== null && chance.once(2)) mutateSomewhere(inner, chance);
  else if (chance.once(5)) Reflect.deleteProperty(value, key);
  else Reflect.set(value, key, HOLE);
}

function mutatedText(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1);
  const head = text.slice(0, at);
  const tail = text.slice(at);
  return chance.of([
    head,
    tail,
    head + chance.of(ODD_VALUES) + tail,
    head + String.fromCharCode(chance.below(256)) + tail.slice(1),
    text + text,
    `${text}\u0000`,
  ]);
}
