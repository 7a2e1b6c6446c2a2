import assert from "node:assert/strict";
import { test } from "node:test";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { PlayerJoins } from "./player-joins.ts";

const log = createLog("core", "silent");
const seated = async () => "seated";
const newPlayer = () => PlayerId.parse(uuidV7(0, crypto.getRandomValues(new Uint8Array(10))));

function limited(retryAfterMs: number) {
  return (error: unknown) =>
    isFailure(error, "too_many_requests") && error.retryAfterMs === retryAfterMs;
}

test("a player may join a burst at once, then at the rate, whatever others do", async () => {
  const clock = new FakeClock();
  const joins = new PlayerJoins({ perSecond: 0.5, burst: 3 }, { clock, log });
  const [ada, bob] = [newPlayer(), newPlayer()];
  for (let n = 0; n < 3; n += 1) await joins.run(ada, seated);
  await assert.rejects(joins.run(ada, seated), limited(2_000));
  assert.equal(await joins.run(bob, seated), "seated");
  clock.advance(1_999);
  await assert.rejects(joins.run(ada, seated), limited(1));
  clock.advance(1);
  assert.equal(await joins.run(ada, seated), "seated");
  await assert.rejects(joins.run(ada, seated), limited(2_000));
  assert.equal(await joins.owed(ada, seated), "seated", "who is owed a seat is not held up");
});

test("one join of a player is under way at a time; a failed one is over too", async () => {
  const joins = new PlayerJoins({ perSecond: 1, burst: 100 }, { clock: new FakeClock(), log });
  const ada = newPlayer();
  let fail = (): void => {};
  const first = joins.run(ada, () => new Promise((_resolve, reject) => (fail = () => reject(1))));
  await assert.rejects(joins.run(ada, seated), limited(1_000));
  await assert.rejects(joins.owed(ada, seated), limited(1_000));
  fail();
  await assert.rejects(first);
  assert.equal(await joins.run(ada, seated), "seated");
});

test("players who come and go cost bounded memory", async () => {
  const joins = new PlayerJoins({ perSecond: 1, burst: 1 }, { clock: new FakeClock(), log });
  for (let n = 0; n < 100_100; n += 1) await joins.run(newPlayer(), seated);
  assert.ok(joins.buckets <= 100_000);
});
