import assert from "node:assert/strict";
import { test } from "node:test";
import { isFailure } from "../../shared/errors.ts";
import { prefixOf } from "./address-prefix.ts";
import { GuestLimit } from "./guest-limit.ts";

function refusal(limit: GuestLimit, address: string, nowMs: number): number | undefined {
  try {
    limit.take(address, nowMs);
    return undefined;
  } catch (error) {
    assert.ok(isFailure(error, "too_many_requests"));
    return error.retryAfterMs;
  }
}

test("a prefix may burst, is then held to its rate, and is told when to come back", () => {
  const limit = new GuestLimit({ perSecond: 2, burst: 3 }, { perSecond: 100, burst: 100 });
  for (let call = 0; call < 3; call += 1) assert.equal(refusal(limit, "192.0.2.7", 0), undefined);
  assert.equal(refusal(limit, "192.0.2.200", 0), 500, "the same /24");
  assert.equal(refusal(limit, "192.0.3.7", 0), undefined, "another one");
  assert.equal(refusal(limit, "192.0.2.7", 250), 250);
  assert.equal(refusal(limit, "192.0.2.7", 500), undefined);
});

test("many prefixes together are bounded as well", () => {
  const limit = new GuestLimit({ perSecond: 1, burst: 10 }, { perSecond: 10, burst: 5 });
  for (let call = 0; call < 5; call += 1) {
    assert.equal(refusal(limit, `192.0.${call}.1`, 0), undefined);
  }
  assert.equal(refusal(limit, "198.51.100.1", 0), 100);
  assert.equal(refusal(limit, "198.51.100.1", 100), undefined);
});

test("the number of remembered prefixes is bounded", () => {
  const limit = new GuestLimit({ perSecond: 1, burst: 1 }, { perSecond: 1, burst: 1_000_000 });
  for (let n = 0; n < 12_000; n += 1) limit.take(`10.${n >> 8}.${n & 255}.1`, n);
  assert.ok(limit.prefixes <= 10_000);
});

test("prefixes are /24 of IPv4 and /48 of IPv6, however written", () => {
  assert.equal(prefixOf("203.0.113.9"), "203.0.113");
  assert.equal(prefixOf("::ffff:203.0.113.9"), "203.0.113");
  assert.equal(prefixOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1");
  assert.equal(prefixOf("2001:0db8:0001::9"), "2001:db8:1");
  assert.equal(prefixOf("2001:db8::1"), "2001:db8:0");
  assert.equal(prefixOf("::1"), "0:0:0");
});
