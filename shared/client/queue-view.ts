/** What of a place in a queue games and pages see. */
import type { Connection, WaitingPlace } from "./connection.ts";
import { openOffers, type QueueState } from "./queue-step.ts";

export function viewOfQueue(queue: QueueState): Connection {
  const { accepting, beginning } = queue;
  const { token: _, ...shown } = queue.place;
  const place: WaitingPlace = {
    ...shown,
    firstPosition: beginning.position,
    sinceMs: beginning.atMs,
    ...(accepting !== undefined && { accepting }),
  };
  const offers = openOffers(queue);
  return offers.length > 0 ? { phase: "offered", place, offers } : { phase: "queued", place };
}
