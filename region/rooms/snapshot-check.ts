/**
 * Refuses, when a game is registered, what a restored room would silently lack. Each refusal names
 * the class and the field. The reasons are in docs/adr/0001-room-state-capture.md.
 *
 * State that only this process needs, and that the constructor makes again, is allowed when the class
 * says so: `static readonly transient = ["pathCache"]`.
 */
import type { Metadata, Schema } from "@colyseus/schema";
import { RoomStateError } from "./room-error.ts";
import { fieldInfo, rawFields, type StateClass, stateTypes } from "./snapshot-schema.ts";

const PLAIN_TYPES = new Set([
  ...["string", "boolean", "number", "quantized", "float32", "float64", "bigint64", "biguint64"],
  ...["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"],
]);

const NOT_A_FIELD =
  "is not a field of the schema, so it is not copied; declare it there, or, when the " +
  "constructor makes it again, name it in `static readonly transient`";

/** @throws {RoomStateError} `unrestorable_state` with one line in `problems` for each construct */
export function checkRestorable(root: StateClass): void {
  const problems: string[] = [];
  for (const { class: klass } of stateTypes(root).byId.values()) {
    for (const field of rawFields(klass)) {
      // A subclass has its parents' fields too; each is named once, where it was declared.
      if (!Object.hasOwn(klass[Symbol.metadata], field.name)) continue;
      const reason = refusal(field);
      if (reason) problems.push(`${klass.name}.${field.name}: ${reason}`);
    }
    problems.push(...instanceProblems(klass));
  }
  if (problems.length === 0) return;
  const message = `the state ${root.name} could not go on elsewhere:\n- ${problems.join("\n- ")}`;
  throw new RoomStateError("unrestorable_state", message, { problems });
}

function refusal(field: Metadata[number]): string | undefined {
  if (field.deprecated) return undefined;
  if (field.stream) return "stream: which items each client was sent is in its view, not the state";
  if (field.unreliable) return "unreliable: needs a datagram transport, which regions don't have";
  if (field.fullStateOnly) return "fullStateOnly: its changes are not tracked, so none is copied";
  const info = fieldInfo(field);
  if (!info) return "a custom collection type: its contents can't be read";
  if ("plain" in info.slot && !PLAIN_TYPES.has(info.slot.plain)) {
    return `a custom type (${info.slot.plain}): its values can't be read`;
  }
  return undefined;
}

function instanceProblems(klass: typeof Schema): string[] {
  let instance: Schema;
  try {
    instance = new klass();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return [`${klass.name}.constructor: does not run without arguments (${why})`];
  }
  const transient = "transient" in klass ? (klass.transient as readonly string[]) : [];
  return Object.entries(instance)
    .filter(([name, value]) => typeof value !== "function" && !transient.includes(name))
    .map(([name]) => `${klass.name}.${name}: ${NOT_A_FIELD}`);
}
