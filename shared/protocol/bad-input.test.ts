/** What must not get past the schemas of payloads from outside. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestRequest, PlayerName, RefreshRequest } from "./accounts.ts";
import { JoinOptions, JoinRequest, RenewRequest, RoundTripsReport } from "./join.ts";
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

test("measurements are of 64 regions at most, and of times that can be", () => {
  const names = Array.from({ length: 65 }, (_, index) => `region-${index}`);
  const trips = (count: number) => Object.fromEntries(names.slice(0, count).map((id) => [id, 1]));
  const take = (measured: object) => [
    JoinRequest.safeParse({ game: "arena", protocol: 1, ...measured }).success,
    RenewRequest.safeParse({ ticket: "t", ...measured }).success,
    RoundTripsReport.safeParse({ roundTripsMs: {}, ...measured }).success,
  ];
  const good = { roundTripsMs: trips(64), unanswered: names.slice(0, 64), roundTripsAgeMs: 0 };
  assert.deepEqual(take(good), [true, true, true]);
  assert.deepEqual(take({}), [true, true, true]);
  const wrong = [
    { roundTripsMs: trips(65) },
    { roundTripsMs: { beijing: -1 } },
    { unanswered: names },
    { unanswered: ["Not a slug"] },
    { roundTripsAgeMs: -1 },
    { roundTripsAgeMs: 1.5 },
  ];
  for (const measured of wrong) {
    assert.deepEqual(take(measured), [false, false, false], JSON.stringify(measured));
  }
});

test("friends and party are players, and few", () => {
  const players = Array.from(
    { length: 17 },
    (_, index) => `01890a5d-ac96-774b-bcce-b302099a80${index + 10}`,
  );
  const take = (company: object) =>
    JoinRequest.safeParse({ game: "arena", protocol: 1, ...company }).success;
  assert.ok(take({ friends: players.slice(0, 16), party: players.slice(0, 15) }));
  for (const wrong of [{ friends: players }, { party: players.slice(0, 16) }, { party: ["Ada"] }]) {
    assert.ok(!take(wrong));
  }
});
