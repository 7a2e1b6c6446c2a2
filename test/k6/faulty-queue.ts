/** A queue of a test's own in front of a real core: two wait, and are told what the test makes of it. */
import { MeridianError } from "../../shared/errors.ts";
import type { JoinRequest } from "../../shared/protocol/join.ts";
import type { PollRequest, QueuePlace } from "../../shared/protocol/queue.ts";
import type { Twist } from "./faulty-core.ts";

const POLL_MS = 200;
const GRACE_MS = 120_000;

/** @param poll how often that place was asked for, from 1 */
export type Turn = (number: number, poll: number) => Pick<QueuePlace, "state" | "position">;

/** @param refuses whether who is called gets no seat then */
export function queueOf(turn: Turn, refuses = false): Twist {
  const polls = new Map<number, number>();
  const placeOf = (number: number): QueuePlace => ({
    ...turn(number, polls.get(number) ?? 0),
    number,
    token: `place-${number}`,
    regionId: "beijing" as QueuePlace["regionId"],
    class: "normal" as QueuePlace["class"],
    waiting: polls.size,
    eta: null,
    pollAfterMs: POLL_MS,
    graceMs: GRACE_MS,
    partySize: 1,
    offers: [],
  });
  return async ({ path, body }, ask) => {
    if (path === "/v1/queue/poll") {
      const number = Number((body as PollRequest).token.replace("place-", ""));
      polls.set(number, (polls.get(number) ?? 0) + 1);
      return { status: 200, body: { queue: placeOf(number) } };
    }
    if (path !== "/v1/join") return ask();
    const { queueToken, ...request } = body as JoinRequest;
    if (queueToken === undefined) {
      const number = polls.size + 1;
      polls.set(number, 0);
      return { status: 200, body: { queue: placeOf(number), ranking: [] } };
    }
    if (!refuses) return ask(request);
    const error = new MeridianError("region_full", { retryAfterMs: POLL_MS });
    return { status: error.status, body: error.toBody() };
  };
}
