import assert from "node:assert/strict";
import { test } from "node:test";
import { Breaker } from "./breaker.ts";

test("a breaker opens after consecutive failures and lets one probe through per period", () => {
  const breaker = new Breaker(3, 1_000);
  for (const nowMs of [0, 1]) breaker.failed(nowMs);
  assert.equal(breaker.permits(2), true, "two failures of three leave it closed");
  breaker.failed(2);
  assert.equal(breaker.permits(3), false);
  assert.equal(breaker.permits(1_002), true, "the probe");
  assert.equal(breaker.permits(1_003), false, "only one of them");
  breaker.failed(1_100);
  assert.equal(breaker.permits(1_200), false, "a failed probe keeps it open");
  assert.equal(breaker.permits(2_002), true);
  breaker.succeeded();
  assert.equal(breaker.permits(2_003), true);
});

test("a success between failures keeps a breaker closed", () => {
  const breaker = new Breaker(2, 1_000);
  for (let call = 0; call < 10; call += 1) {
    breaker.failed(call);
    breaker.succeeded();
  }
  assert.equal(breaker.open, false);
});
