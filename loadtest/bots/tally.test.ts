import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../shared/client/connection.ts";
import { OFFER, placeOf } from "../../shared/client/scripted-queue.testkit.ts";
import { MeridianError } from "../../shared/errors.ts";
import { statusLine, summaryText } from "./report.ts";
import { percentile, Tally, takeCensus } from "./tally.ts";

const playing: Connection = { phase: "playing", regionId: "beijing" };
const suspect: Connection = { phase: "suspect", regionId: "beijing" };
const connecting: Connection = { phase: "connecting", regionId: "beijing" };
const lost: Connection = {
  phase: "lost",
  regionId: "beijing",
  error: new MeridianError("room_not_found"),
};

function reconnecting(attempt: number): Connection {
  return { phase: "reconnecting", regionId: "beijing", attempt, nextInMs: 0 };
}

test("a break counts once, however many attempts it takes, and by how it ends", () => {
  const tally = new Tally(() => 0);
  const told = [playing, reconnecting(0), reconnecting(1), playing, reconnecting(0), lost];
  const { connection } = tally.observer();
  for (const one of told) connection?.(one);
  assert.equal(tally.disconnects, 2);
  assert.equal(tally.roomsLost, 1);
  assert.deepEqual([...tally.failures], [["room_not_found", 1]]);
});

test("failures are counted by kind; leaving on purpose is none", () => {
  const tally = new Tally(() => 0);
  const { connection, failed } = tally.observer();
  failed?.(new MeridianError("region_full"));
  failed?.(new MeridianError("region_full"));
  connection?.({ phase: "left", reason: "asked" });
  connection?.({ phase: "left", reason: "session_taken_over" });
  assert.deepEqual(
    [...tally.failures],
    [
      ["region_full", 2],
      ["session_taken_over", 1],
    ],
  );
});

test("the most bots at play is noted with the moment at which it was reached", () => {
  let passedMs = 0;
  const tally = new Tally(() => passedMs);
  const bots = [tally.observer(), tally.observer(), tally.observer()];
  for (const [index, bot] of bots.entries()) {
    passedMs = (index + 1) * 100;
    bot.connection?.(playing);
  }
  passedMs = 900;
  bots[0]?.connection?.(lost);
  bots[0]?.connection?.(playing);
  assert.equal(tally.playingMost, 3);
  assert.equal(tally.playingMostAfterMs, 300);
});

test("percentiles are values that were measured", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.equal(percentile(values, 50), 100);
  assert.equal(percentile(values, 99), 198);
  assert.equal(percentile([7], 99), 7);
  assert.equal(percentile([], 50), undefined);
});

test("the status line says where everybody is", () => {
  const tally = new Tally(() => 3_000);
  tally.observer().joined?.(41.7);
  const census = takeCensus([
    { phase: "idle" },
    playing,
    playing,
    { phase: "playing", regionId: "aba" },
    suspect,
    connecting,
    lost,
    { phase: "left", reason: "asked" },
    { phase: "failed", error: new MeridianError("no_region") },
  ]);
  assert.equal(
    statusLine(census, tally),
    "3 s | playing 3  joining 1  queued 0  reconnecting 1  lost 1  failed 1 | aba 1  beijing 2 | " +
      "join p50 42 p99 42 ms | disconnects 0",
  );
});

test("the summary tells what went wrong, and who did not leave", () => {
  const tally = new Tally(() => 12_345);
  const { connection, failed, banked } = tally.observer();
  connection?.(playing);
  failed?.(new MeridianError("timeout"));
  banked?.(5);
  const text = summaryText(tally, 2);
  assert.match(text, /^12\.3 s: up to 1 bots at play, first after 12\.3 s/);
  assert.match(text, /failures +timeout 1\n/);
  assert.match(text, /banked +5 coins/);
  assert.match(text, /2 bots did not leave in time/);
  const nothing = summaryText(new Tally(() => 0), 0);
  assert.match(nothing, /joins +0, p50 - p99 - ms/);
  assert.match(nothing, /failures +none/);
});

test("a bot that waits for a seat, or may have one elsewhere, is queued", () => {
  const { token: _, ...rest } = placeOf({ offers: [OFFER] });
  const place = { ...rest, firstPosition: 3, sinceMs: 0 };
  const offered: Connection = { phase: "offered", place, offers: place.offers };
  const admitted: Connection = { phase: "admitted", regionId: "beijing" };
  const { bots } = takeCensus([{ phase: "queued", place }, offered, admitted]);
  assert.deepEqual([bots.queued, bots.joining], [2, 1]);
});
