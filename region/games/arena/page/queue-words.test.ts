import assert from "node:assert/strict";
import { test } from "node:test";
import type { WaitingPlace } from "../../../../shared/client/connection.ts";
import { RegionId } from "../../../../shared/ids.ts";
import { AdmissionClass } from "../../../../shared/protocol/queue.ts";
import {
  countdown,
  durationInWords,
  etaInWords,
  moreInWords,
  offerInWords,
  placeInWords,
  progressOf,
} from "./queue-words.ts";

const city = (regionId: string) => ({ tokyo: "Tokyo", seoul: "Seoul" })[regionId] ?? regionId;
const seoul = RegionId.parse("seoul");

function place(change: Partial<WaitingPlace> = {}): WaitingPlace {
  return {
    state: "waiting",
    regionId: RegionId.parse("tokyo"),
    number: 1,
    class: AdmissionClass.parse("normal"),
    position: 123,
    firstPosition: 246,
    sinceMs: 0,
    waiting: 1_204,
    eta: null,
    pollAfterMs: 1_000,
    graceMs: 120_000,
    partySize: 1,
    offers: [],
    ...change,
  };
}

const minutes = (ms: number, lowMs: number, highMs: number) => ({
  ms: ms * 60_000,
  lowMs: lowMs * 60_000,
  highMs: highMs * 60_000,
});

test("the place is told as people count", () => {
  for (const [position, words] of [
    [1, "You are next in line for Tokyo"],
    [2, "You are 2nd in line for Tokyo"],
    [11, "You are 11th in line for Tokyo"],
    [123, "You are 123rd in line for Tokyo"],
    [12_321, "You are 12,321st in line for Tokyo"],
    [null, "You are here for the opening of Tokyo"],
  ] as const) {
    assert.equal(placeInWords(place({ position }), city), words);
  }
  assert.equal(placeInWords(place({ partySize: 3 }), city), "You 3 are 123rd in line for Tokyo");
});

test("how long it takes is told with how sure that is", () => {
  assert.equal(etaInWords(minutes(4, 3, 5), 0), "About 4 min, likely 3 to 5 min");
  assert.equal(etaInWords(minutes(4, 3.9, 4.1), 0), "About 4 min");
  assert.equal(etaInWords(minutes(4, 1, 9), 0), "About 4 min, but it may be 1 to 9 min");
  assert.equal(etaInWords(minutes(120, 100, 150), 0), "About 2 h, likely 1.5 to 2.5 h");
  assert.equal(etaInWords(minutes(0.5, 0.25, 0.75), 0), "About 30 s, likely 15 to 45 s");
  assert.equal(
    etaInWords(minutes(0.5, 0.25, 0.75), 20_000),
    "About 10 s, but it may be at most 25 s",
  );
  assert.equal(etaInWords(minutes(0.5, 0.25, 0.75), 60_000), "A few seconds");
  assert.equal(etaInWords(null, 0), "How long it takes can't be told yet");
  assert.equal(durationInWords(89 * 60_000), "about 89 min");
});

test("an offer says what it costs and what it gives", () => {
  const eta = { ms: 20_000, lowMs: 0, highMs: 0 };
  const offer = { regionId: seoul, addedMs: 32.4, eta };
  assert.equal(offerInWords(offer, city), "Play in Seoul: +32 ms, about 20 s");
  const now = { ...offer, addedMs: -1, eta: { ...eta, ms: 0 } };
  assert.equal(offerInWords(now, city), "Play in Seoul: as near, at once");
  assert.equal(
    moreInWords(place({ alsoWaitsFor: seoul }), city),
    "1,204 wait there · You are in line for Seoul, too",
  );
});

test("progress runs from the first place to the seat, or to the opening", () => {
  assert.equal(progressOf(place(), 0), 0.5);
  assert.equal(progressOf(place({ position: 300 }), 0), 0, "fallen behind");
  const opening = place({ position: null, firstPosition: null, opensAtMs: 1_000 });
  assert.equal(progressOf(opening, 250), 0.25);
  assert.equal(countdown(3_725_000), "1:02:05");
  assert.equal(countdown(59_001), "1:00");
  assert.equal(countdown(-5), "0:00");
});
