/** A place as a stream of server-sent events: one when it is called, and one whenever a poll would be due. */
import type { QueuePlace } from "../../shared/protocol/queue.ts";
import type { Admission } from "./admission.ts";

/** A page shows that it moves: not seldomer than that, ms. */
const PERIOD_MS_MAX = 5_000;

/** Ends when the place is called or lost, or the client goes. @throws {MeridianError} of the first poll */
export async function* placeEvents(
  admission: Admission,
  token: string,
  gone: AbortSignal,
): AsyncGenerator<string, void> {
  const options = { hidden: false, hold: false, gone };
  let place: QueuePlace = await admission.poll(token, options);
  yield eventOf(place);
  const { playerId } = await admission.restore(token);
  while (place.state === "waiting" && !gone.aborted) {
    await admission.wait(playerId, Math.min(PERIOD_MS_MAX, place.pollAfterMs), gone);
    const member = admission.rooms.find(playerId);
    if (!member) {
      yield "event: lost\ndata: {}\n\n";
      return;
    }
    if (gone.aborted || admission.stopping) break;
    place = admission.streamed(member, PERIOD_MS_MAX);
    yield eventOf(place);
  }
  if (gone.aborted) admission.vanished(playerId);
}

function eventOf(place: QueuePlace): string {
  return `event: place\ndata: ${JSON.stringify(place)}\n\n`;
}
