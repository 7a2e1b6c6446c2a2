/** A place as a stream of server-sent events: one when it is called, and one whenever a poll would be due. */
import type { PlayerId } from "../../shared/ids.ts";
import type { QueuePlace } from "../../shared/protocol/queue.ts";
import type { Admission } from "./admission.ts";

/** A page shows that it moves: not seldomer than that, ms. */
const PERIOD_MS_MAX = 5_000;

/**
 * Ends when the place is called or lost, the client goes, or the player opens another stream. Nothing is kept for a
 * stream of which nobody reads the first event.
 * @throws {MeridianError} of the first poll
 */
export async function placeEvents(
  admission: Admission,
  token: string,
  gone: AbortSignal,
): Promise<AsyncGenerator<string, void>> {
  const place = await admission.poll(token, { hidden: false, hold: false, early: true, gone });
  const { playerId } = await admission.restore(token);
  return stream(admission, playerId, place, gone);
}

async function* stream(
  admission: Admission,
  playerId: PlayerId,
  first: QueuePlace,
  gone: AbortSignal,
): AsyncGenerator<string, void> {
  const { replaced, ended } = admission.calls.stream(playerId);
  try {
    yield* eventsOf(admission, playerId, first, AbortSignal.any([gone, replaced]));
  } finally {
    ended();
    if (gone.aborted && !replaced.aborted) admission.vanished(playerId);
  }
}

async function* eventsOf(
  admission: Admission,
  playerId: PlayerId,
  first: QueuePlace,
  over: AbortSignal,
): AsyncGenerator<string, void> {
  let place = first;
  yield eventOf(place);
  while (place.state === "waiting") {
    await admission.wait(playerId, Math.min(PERIOD_MS_MAX, place.pollAfterMs), over);
    const member = admission.rooms.find(playerId);
    if (over.aborted || admission.stopping) return;
    if (!member) {
      yield "event: lost\ndata: {}\n\n";
      return;
    }
    place = admission.streamed(member, PERIOD_MS_MAX);
    yield eventOf(place);
  }
}

function eventOf(place: QueuePlace): string {
  return `event: place\ndata: ${JSON.stringify(place)}\n\n`;
}
