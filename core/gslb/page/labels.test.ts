import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { placeLabels } from "./labels.ts";

const size = { width: 1_000, height: 600 };

test("a lonely name stands right of its sign, or left where the map ends", () => {
  const at = (x: number) =>
    placeLabels([{ x, y: 300, radius: 10, width: 60, height: 30 }], size)[0];
  assert.deepEqual(at(500), { x: 512, y: 285, align: "start", leader: undefined });
  assert.deepEqual(at(960), { x: 948, y: 285, align: "end", leader: undefined });
});

test("a name leaves the way free, and a line leads to one that stands apart", () => {
  const anchor = { x: 500, y: 300, radius: 10, width: 60, height: 30 };
  const way = Array.from({ length: 50 }, (_, n) => ({ x: 500 + n * 2, y: 300 }));
  assert.deepEqual(placeLabels([anchor], size, way)[0], {
    x: 488,
    y: 285,
    align: "end",
    leader: undefined,
  });
  const crowd = [
    anchor,
    ...Array.from({ length: 8 }, (_, n) => ({ ...anchor, x: 500 + n, y: 300 + n })),
  ];
  const placed = placeLabels(crowd, size);
  assert.ok(placed.some(({ leader }) => leader !== undefined));
});

test("of a dozen regions no name covers another or leaves the map", () => {
  const anchor = fc.record({
    x: fc.integer({ min: 60, max: 940 }),
    y: fc.integer({ min: 60, max: 540 }),
    radius: fc.constantFrom(10, 15),
    width: fc.integer({ min: 30, max: 80 }),
    height: fc.constant(30),
  });
  fc.assert(
    fc.property(fc.array(anchor, { maxLength: 12 }), (anchors) => {
      const boxes = placeLabels(anchors, size).map(({ x, y, align }, index) => {
        const { width = 0, height = 0 } = anchors[index] ?? {};
        const left = align === "start" ? x : align === "end" ? x - width : x - width / 2;
        return { left, top: y, right: left + width, bottom: y + height };
      });
      for (const [index, a] of boxes.entries()) {
        assert.ok(a.left >= 0 && a.right <= size.width, JSON.stringify(a));
        assert.ok(a.top >= 0 && a.bottom <= size.height, JSON.stringify(a));
        for (const b of boxes.slice(index + 1)) {
          const apart =
            a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
          assert.ok(apart, JSON.stringify([a, b]));
        }
      }
    }),
  );
});
