/** Each construct that a restored room would silently lack is refused by name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  defineCustomTypes,
  encode,
  Metadata,
  registerType,
  Schema,
  schema,
  t,
  type,
} from "@colyseus/schema";
import { RoomStateError } from "./room-error.ts";
import { checkRestorable } from "./snapshot-check.ts";
import { type StateClass, schemaHash } from "./snapshot-schema.ts";

const Item = schema({ price: t.uint16() }, "Item");

function problemsOf(root: unknown): readonly string[] {
  try {
    checkRestorable(root as StateClass);
  } catch (error) {
    assert.ok(error instanceof RoomStateError);
    assert.equal(error.kind, "unrestorable_state");
    for (const problem of error.problems)
      assert.match(error.message, new RegExp(literally(problem)));
    return error.problems;
  }
  return [];
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

test("takes everything that can be restored", () => {
  const Base = schema({ id: t.string(), at: t.angle() }, "Base");
  const Sub = Base.extend({ big: t.bigint64(), secret: t.number().view() }, "Sub");
  const All = schema(
    {
      one: t.ref(Sub),
      maybe: t.ref(Item).optional(),
      list: t.array(Base),
      numbers: t.array("float32").default(() => [1, 2, 3] as never),
      byKey: t.map(Item),
      tags: t.set("string"),
      bag: t.collection(Item),
      hidden: t.map(Item).view(7),
      live: t.number().patchOnly(),
      former: t.number().deprecated(),
      level: t.quantized({ min: 0, max: 1, bits: 8 }),
    },
    "All",
  );
  assert.deepEqual(problemsOf(All), []);
});

test("refuses streams, unreliable and fullStateOnly fields", () => {
  const State = schema(
    {
      shots: t.stream(Item),
      paced: t.map(Item).stream(),
      angle: t.number().unreliable(),
      terrain: t.array("uint8").fullStateOnly(),
    },
    "Fields",
  );
  const problems = problemsOf(State).map((problem) => problem.split(":").slice(0, 2).join(":"));
  assert.deepEqual(problems, [
    "Fields.shots: stream",
    "Fields.paced: stream",
    "Fields.angle: unreliable",
    "Fields.terrain: fullStateOnly",
  ]);
});

test("refuses custom types, plain ones and collections", () => {
  defineCustomTypes({
    cstring: { encode: encode.string as never, decode: () => "" },
  });
  class Heap extends Map {}
  registerType("heap", { constructor: Heap });
  class State extends Schema {}
  Metadata.setFields(State, { name: "cstring", queue: { heap: Item } } as never);
  const problems = problemsOf(State);
  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? "", /^State\.name: a custom type \(cstring\)/);
  assert.match(problems[1] ?? "", /^State\.queue: a custom collection type/);
});

test("refuses properties that are not fields, unless the class calls them transient", () => {
  const Local = schema({ hp: t.uint8(), lastInput: t.number().noSync().default(0) }, "Local");
  class Unit extends Local {
    speed = 3;
    cache = new Map();
    static readonly transient = ["cache"];
    readonly grow = () => this.speed;
  }
  const State = schema({ units: t.map(Unit) }, "Locals");
  const advice =
    "is not a field of the schema, so it is not copied; declare it there, or, when the " +
    "constructor makes it again, name it in `static readonly transient`";
  assert.deepEqual(problemsOf(State), [
    `Unit.lastInput: ${advice}`,
    `Unit.speed: ${advice}`,
    `Local.lastInput: ${advice}`,
  ]);
});

test("refuses constructors that need arguments, wherever the class is reachable", () => {
  class Sword extends Item {
    constructor(owner?: { name: string }) {
      super();
      this.price = (owner as { name: string }).name.length;
    }
  }
  const State = schema({ sword: t.ref(Sword).optional() }, "Armed");
  const problems = problemsOf(State);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /^Sword\.constructor: does not run without arguments/);
});

test("the hash tells schemas apart by fields, types, order, flags and subclasses", () => {
  const base = () => ({ a: t.uint8(), b: t.string() });
  const hashes = [
    schema(base(), "State"),
    schema({ ...base(), c: t.uint8() }, "State"),
    schema({ b: t.string(), a: t.uint8() }, "State"),
    schema({ a: t.uint16(), b: t.string() }, "State"),
    schema({ a: t.uint8().view(), b: t.string() }, "State"),
    schema({ a: t.uint8(), b: t.array("string") }, "State"),
    withSubclass(schema(base(), "State")),
  ].map((made) => schemaHash(made as unknown as StateClass));
  assert.equal(new Set(hashes).size, hashes.length);
  assert.equal(schemaHash(schema(base(), "State") as unknown as StateClass), hashes[0]);
  assert.match(hashes[0] ?? "", /^[0-9a-f]{16}$/);
});

function withSubclass<C extends { extend(fields: object, name: string): unknown }>(made: C): C {
  made.extend({ extra: t.uint8() }, "Sub");
  return made;
}

test("reads classes that were made with the older definition, too", () => {
  class Old extends Schema {
    declare x: number;
  }
  type("number")(Old.prototype, "x");
  assert.deepEqual(problemsOf(Old), []);
});
