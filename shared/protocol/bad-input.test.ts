/** What must not get past the schemas of payloads from outside. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestRequest, PlayerName, RefreshRequest } from "./accounts.ts";
import { JoinOptions } from "./join.ts";
import { ClaimRequest } from "./link.ts";
import { OperatorTokenRequest } from "./ops.ts";

const unprintable = {
  NUL: "\u0000",
  escape: "\u001b[2J",
  "half a pair": "\ud800",
  hidden: "\u202e",
};
for (const [name, text] of Object.entries(unprintable)) {
  test(`text with ${name} is refused wherever text is stored`, () => {
    const claim = { roomId: "room", game: "arena", nodeId: "beijing-1" };
    const refreshToken = "x".repeat(43);
    const take = (given: string) => [
      GuestRequest.safeParse({ device: given }).success,
      RefreshRequest.safeParse({ refreshToken, device: given }).success,
      PlayerName.safeParse(given).success,
      OperatorTokenRequest.safeParse({ name: given, role: "viewer" }).success,
      ClaimRequest.safeParse({ ...claim, claimId: given }).success,
    ];
    assert.deepEqual(take(`for test${text}s`), [false, false, false, false, false]);
    assert.deepEqual(take("für Tests 北京"), [true, true, true, true, true]);
  });
}

test("join options may be 32 levels deep, and deeper ones cost no stack", () => {
  const nested = (levels: number): Record<string, unknown> =>
    JSON.parse(`{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`);
  assert.ok(JoinOptions.safeParse(nested(32)).success);
  for (const levels of [33, 5_000, 30_000]) {
    const { error } = JoinOptions.safeParse(nested(levels));
    assert.match(error?.message ?? "", /32 levels at most/);
  }
});

test("join options are measured in bytes", () => {
  assert.ok(JoinOptions.safeParse({ a: "x".repeat(4_000) }).success);
  assert.match(JoinOptions.safeParse({ a: "é".repeat(4_000) }).error?.message ?? "", /4 KiB/);
});
