import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberStatus } from "./member-status.ts";
import { answerTo } from "./rest.ts";

const primary: MemberStatus = {
  role: "primary",
  state: "running",
  announced: true,
  timeline: 2,
  isSync: false,
  isPromotable: false,
  walBytes: 100,
  lagBytes: undefined,
};
const standby: MemberStatus = {
  ...primary,
  role: "replica",
  announced: false,
  isSync: true,
  isPromotable: true,
  lagBytes: 1_000_000,
};

test("each path is answered as Patroni would", () => {
  const asked = (path: string, status: MemberStatus, lag: string | null = null) =>
    answerTo(path, status, lag);
  for (const path of ["/", "/primary", "/leader", "/read-write"]) {
    assert.deepEqual([asked(path, primary), asked(path, standby)], [true, false], path);
  }
  assert.equal(
    asked("/primary", { ...primary, announced: false }),
    false,
    "its term is not raised",
  );
  assert.deepEqual([asked("/replica", primary), asked("/replica", standby)], [false, true]);
  assert.equal(asked("/replica", standby, "900kB"), false);
  assert.equal(asked("/replica", standby, "1MB"), true);
  assert.equal(asked("/replica", standby, "999999"), false);
  assert.equal(asked("/replica", { ...standby, lagBytes: undefined }), false, "nobody knows");
  assert.deepEqual([asked("/sync", standby), asked("/async", standby)], [true, false]);
  assert.deepEqual([asked("/health", standby), asked("/patroni", standby)], [true, true]);
  assert.equal(asked("/health", { ...standby, state: "stopped" }), false);
  assert.equal(asked("/nothing", primary), undefined);
});
