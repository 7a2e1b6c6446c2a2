import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import { CAP_MS, CAP_MS_PER_SECOND, capAfterMs } from "../gslb/party.ts";
import { PartyWaits } from "./party-waits.ts";

const newPlayer = () => PlayerId.parse(uuidV7(0, crypto.getRandomValues(new Uint8Array(10))));
const [ada, bob, eve] = [newPlayer(), newPlayer(), newPlayer()];

test("a party waits from its first call on, whoever of it asks", () => {
  const clock = new FakeClock();
  const waits = new PartyWaits(clock);
  assert.equal(waits.ask([ada, bob]), 0);
  clock.advance(2_000);
  assert.equal(waits.ask([bob, ada]), 2_000);
  assert.equal(waits.ask([ada, bob, eve]), 0, "another party");
  clock.advance(3_000);
  const waitedMs = waits.ask([ada, bob, ada]);
  assert.equal(waitedMs, 5_000);
  assert.equal(capAfterMs(waitedMs), CAP_MS + 5 * CAP_MS_PER_SECOND);
});

test("a party that has not asked for a minute begins anew", () => {
  const clock = new FakeClock();
  const waits = new PartyWaits(clock);
  waits.ask([ada, bob]);
  clock.advance(60_000);
  assert.equal(waits.ask([ada, bob]), 60_000, "a minute is still the same wait");
  clock.advance(60_001);
  assert.equal(waits.ask([ada, bob]), 0);
});
