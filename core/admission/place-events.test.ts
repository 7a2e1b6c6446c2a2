import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlayerId } from "../../shared/ids.ts";
import type { QueuePlace } from "../../shared/protocol/queue.ts";
import type { Admission } from "./admission.ts";
import { Calls } from "./calls.ts";
import { placeEvents } from "./place-events.ts";

test("a stream whose client goes before it is read leaves nothing", async () => {
  const calls = new Calls();
  const playerId = "a" as PlayerId;
  const admission = {
    calls,
    poll: async () => ({ state: "waiting", pollAfterMs: 1_000 }) as QueuePlace,
    restore: async () => ({ playerId }),
    vanished: () => undefined,
  } as unknown as Admission;
  const events = await placeEvents(admission, "token", new AbortController().signal);
  await events.return();
  assert.equal(calls.streams, 0);
  const read = await placeEvents(admission, "token", new AbortController().signal);
  await read.next();
  assert.equal(calls.streams, 1);
  await read.return();
  assert.equal(calls.streams, 0);
});
