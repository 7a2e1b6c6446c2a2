/** This tree against the previous release, for real, and planted mistakes in bodies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { createTestDatabase } from "../../core/db/test-database.ts";
import {
  hasAllOf,
  makeReleaseTree,
  previousRelease,
  whyNoTree,
} from "../../infra/upgrade/release-tree.ts";
import { bodyChanges, type JsonSchema, refusals } from "./body-changes.ts";
import { checkRelease, withoutKnown } from "./check-release.ts";
import { skipWithoutRelease } from "./previous-release.testkit.ts";

const skip = skipWithoutRelease();

test("this tree runs beside the previous release", { skip }, async () => {
  const tree = makeReleaseTree();
  try {
    const database = await createTestDatabase();
    try {
      const check = { previousDir: tree.dir, databaseUrl: database.url };
      assert.deepEqual(await checkRelease(check), []);
    } finally {
      await database.drop();
    }
  } finally {
    tree.remove();
  }
});

test("a commit that is not here, and a file without one, are told in one line", () => {
  assert.match(whyNoTree("0".repeat(40)) ?? "", /git/);
  assert.match(whyNoTree(previousRelease(), "/") ?? "", /no git clone/);
  assert.throws(() => previousRelease(import.meta.filename), /holds no full commit id/);
});

test("dependencies serve another release when they have all of its, at the same versions", () => {
  const own = { packages: { "": {}, a: { version: "1", integrity: "x" }, b: { version: "2" } } };
  assert.ok(
    hasAllOf(own, { packages: { "": { version: "7" }, a: { version: "1", integrity: "x" } } }),
  );
  assert.ok(!hasAllOf(own, { packages: { a: { version: "2", integrity: "x" } } }));
  assert.ok(!hasAllOf(own, { packages: { c: { version: "1" } } }));
});

const State = z.enum(["active", "draining"]);
const Report = z.object({
  state: State,
  name: z.string().max(8),
  count: z.number().int().nonnegative(),
  note: z.string().optional(),
  tags: z.array(z.object({ id: z.string() })).default([]),
  load: z.object({ bytes: z.number() }).nullable(),
  byRegion: z.record(z.string().max(4), z.number()),
  seat: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("new"), game: z.string() }),
    z.object({ kind: z.literal("kept"), roomId: z.string().regex(/^r/) }),
  ]),
});

function jsonOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
}

test("what both take is no change: more that may be said, and more that is known", () => {
  const next = Report.extend({ more: z.string().optional(), other: z.number().default(0) });
  assert.deepEqual(
    bodyChanges({ Report: jsonOf(Report) }, { Report: jsonOf(next), New: jsonOf(State) }),
    [],
  );
});

test("each planted mistake in a body is found, in the direction in which it hurts", () => {
  const former = "the former one refuses what the new writes";
  const newer = "the new one refuses what the former writes";
  const planted: readonly (readonly [z.ZodType, readonly string[]])[] = [
    [Report.extend({ more: z.string() }), [`.more may be missing: ${newer}`]],
    [Report.extend({ note: z.string() }), [`.note may be missing: ${newer}`]],
    [Report.omit({ name: true }), [`.name may be missing: ${former}`]],
    [Report.extend({ name: z.string().max(8).optional() }), [`.name may be missing: ${former}`]],
    [Report.extend({ state: z.enum(["active"]) }), [`.state may be draining: ${newer}`]],
    [
      Report.extend({ state: z.enum([...State.options, "lost"]) }),
      [`.state may be lost: ${former}`],
    ],
    [
      Report.extend({ state: z.string() }),
      [`.state may be anything, and only some values are taken: ${former}`],
    ],
    [Report.extend({ name: z.string().max(9) }), [`.name may be above maxLength 8: ${former}`]],
    [Report.extend({ name: z.string().max(7) }), [`.name may be above maxLength 7: ${newer}`]],
    [
      Report.extend({ count: z.number().nonnegative() }),
      [`.count is number, and integer is taken: ${former}`],
    ],
    [
      Report.extend({ count: z.string() }),
      [
        `.count is integer, and string is taken: ${newer}`,
        `.count is string, and integer is taken: ${former}`,
      ],
    ],
    [
      Report.extend({ load: z.object({ bytes: z.number() }) }),
      [`.load is null, and object is taken: ${newer}`],
    ],
    [
      Report.extend({ tags: z.array(z.object({ id: z.string(), at: z.string() })).default([]) }),
      [`.tags[].at may be missing: ${newer}`],
    ],
    [
      Report.extend({ byRegion: z.record(z.string().max(4), z.number().max(5)) }),
      [`.byRegion.* may be above maximum 5: ${newer}`],
    ],
    [
      Report.extend({ byRegion: z.record(z.string().max(5), z.number()) }),
      [`.byRegion (names) may be above maxLength 4: ${former}`],
    ],
    [z.strictObject(Report.shape).extend({ extra: z.string().optional() }), []],
  ];
  for (const [next, expected] of planted) {
    const found = bodyChanges({ Report: jsonOf(Report) }, { Report: jsonOf(next) });
    assert.deepEqual(
      found,
      expected.map((line) => `Report${line}`),
    );
  }
  const kinds = z.union([...Report.shape.seat.options, z.object({ kind: z.literal("lent") })]);
  assert.match(refusals(jsonOf(kinds), jsonOf(Report.shape.seat))[0] ?? "", /\.kind may be lent/);
  assert.deepEqual(refusals(jsonOf(Report.shape.seat), jsonOf(kinds)), []);
  assert.match(
    refusals(jsonOf(Report), jsonOf(z.strictObject({ state: State })))[0] ?? "",
    /name is not known/,
  );
  assert.deepEqual(bodyChanges({ Report: jsonOf(Report) }, {}), ["Report: is gone"]);
});

test("a known change is let through, and one that is no change is named", () => {
  const known = [
    { line: "a", why: "" },
    { line: "b", why: "" },
  ];
  assert.deepEqual(withoutKnown(["a", "c"], known), [
    "c",
    "test/upgrades/known-changes.ts: this is no change: b",
  ]);
});
