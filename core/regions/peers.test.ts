import assert from "node:assert/strict";
import { test } from "node:test";
import { GRACE_MS } from "../../shared/protocol/link.ts";
import { PeerList, peersAmong } from "./peers.ts";
import { heard, run, spec, tick } from "./registry.testkit.ts";

test("of each region that lives its oldest node is measured to, or the place that is given", () => {
  const given = spec("shanghai", { privateAddress: "link.shanghai.test:7" });
  const specs = [spec("beijing"), spec("tianjin"), given];
  const { regions } = run(
    [
      [0, heard("tianjin")],
      [GRACE_MS, tick],
      [GRACE_MS, heard("beijing", {}, 5)],
      [GRACE_MS, heard("beijing", {}, 4)],
      [GRACE_MS, heard("shanghai")],
    ],
    specs,
  );
  assert.deepEqual(peersAmong(regions).regions, [
    { regionId: "beijing", linkAddress: "beijing-4.test:2" },
    { regionId: "shanghai", linkAddress: "link.shanghai.test:7" },
  ]);
});

test("the list of peers is told to those who have another, and made once a second", () => {
  let { regions } = run([[0, heard("beijing")]]);
  let nowMs = 0;
  const list = new PeerList({ regions: () => regions, clock: { monotonicMs: () => nowMs } });
  assert.equal(list.news(undefined), undefined, "a node that measures nothing");
  const first = list.news("");
  assert.ok(first && first.version !== "");
  assert.equal(list.news(first.version), undefined);
  ({ regions } = run([[0, heard("beijing", {}, 2)]]));
  assert.equal(list.news(first.version), undefined, "not made anew yet");
  nowMs = 1_000;
  const second = list.news(first.version);
  assert.ok(second && second.version !== first.version);
  ({ regions } = run([[0, heard("beijing")]]));
  nowMs = 2_000;
  assert.equal(
    list.news(second.version)?.version,
    first.version,
    "the same list, the same version",
  );
});
