/**
 * Waiting for a seat. A join that finds no free seat is answered with a place in a region's queue;
 * `POST /v1/queue/poll` asks how far it has come, and once the place is `called`, the same join again,
 * with the place's token, gets the seat.
 *
 * `POST /v1/queue/events` streams the same as server-sent events, `POST /v1/queue/leave` gives it up.
 */
import { z } from "zod";
import { PlayerId, RegionId } from "../ids.ts";

const milliseconds = z.number().nonnegative();
const count = z.number().int().nonnegative();
/** Far above any number of a place, and half of what counts up by one exactly: it is what the next ones are above. */
const NUMBER_MAX = 2 ** 52;

/** How long a place is kept for a client that does not ask, ms. */
export const QUEUE_GRACE_MS = 120_000;
/** For a client that said that nobody looks at it: browsers hold back the timers of hidden tabs. */
export const QUEUE_HIDDEN_GRACE_MS = 600_000;
/** No client is asked to wait longer between two polls. */
export const QUEUE_POLL_MS_MAX = 30_000;

/** Who is let in before whom: a class of the configuration, such as `normal` or `reconnect`. */
export const AdmissionClass = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "a slug of 32 at most");
export type AdmissionClass = z.infer<typeof AdmissionClass>;

/** Opaque to everyone but the core. */
export const QueueToken = z.string().max(2_048);

/** How long until the seat: the estimate, and bounds that hold for four of five. */
export const Eta = z.object({ ms: milliseconds, lowMs: milliseconds, highMs: milliseconds });
export type Eta = z.infer<typeof Eta>;

/** Another region that would take the player sooner. Declining, or accepting, costs no place. */
export const QueueOffer = z.object({
  regionId: RegionId,
  /** Round trip there, less the round trip to the region that is waited for, ms. */
  addedMs: z.number(),
  /** 0 ms where there is a seat at this moment. */
  eta: Eta,
});
export type QueueOffer = z.infer<typeof QueueOffer>;

export const QueuePlace = z.object({
  /** To be shown at the next poll, and after a reload; each answer brings a newer one. */
  token: QueueToken,
  /** `called`: a seat is held for the player, who gets it by joining again with the token. */
  state: z.enum(["waiting", "called"]),
  /** The region that is waited for; of a called place, the one that has the seat. */
  regionId: RegionId,
  /** As given at a counter: it stays, and lower ones of the same class come first. */
  number: z.number().int(),
  class: AdmissionClass,
  /** In the line of its class: 1 is next. Null before an opening, when there is no order yet. */
  position: z.number().int().positive().nullable(),
  /** Players in all lines of the region. */
  waiting: count,
  /** Null while nothing can be said. */
  eta: Eta.nullable(),
  /** Ask again after that, and not before, ms; already jittered. */
  pollAfterMs: milliseconds,
  /** The place is kept for a client that does not ask for so long, ms. */
  graceMs: milliseconds,
  /** How many come together, this player among them. */
  partySize: z.number().int().positive(),
  offers: z.array(QueueOffer),
  /** Another region that is waited for as well, after its offer was accepted. */
  alsoWaitsFor: RegionId.optional(),
  /** Nobody is let in before, ms since 1970; then all who are here by then in an order that is drawn. */
  opensAtMs: z.number().optional(),
});
export type QueuePlace = z.infer<typeof QueuePlace>;

export const PollRequest = z.object({
  token: QueueToken,
  /** Nobody looks: keep the place for `QUEUE_HIDDEN_GRACE_MS`. */
  hidden: z.boolean().default(false),
  /** The answer may wait for some seconds when the player is about to be called. */
  hold: z.boolean().default(false),
  /** Take this offer. */
  accept: RegionId.optional(),
});
export type PollRequest = z.input<typeof PollRequest>;

export const PollAnswer = z.object({ queue: QueuePlace });
export type PollAnswer = z.infer<typeof PollAnswer>;

export const LeaveQueueRequest = z.object({ token: QueueToken });
export const QueueEventsRequest = z.object({ token: QueueToken });

/** What a place's token says; signed by the core, so that a place outlives whatever keeps it. */
export const QueueClaim = z.object({
  playerId: PlayerId,
  /** The first of the party, by whom the place goes. */
  leader: PlayerId,
  /** All of the party; of a player alone, empty. */
  party: z.array(PlayerId).max(16),
  class: AdmissionClass,
  /** Region and number; a second one after an accepted offer. */
  places: z
    .array(z.tuple([RegionId, z.number().int().max(NUMBER_MAX)]))
    .min(1)
    .max(2),
  /** Core time of the poll that it is from, ms since 1970. */
  seenMs: z.number().int(),
  graceMs: z.number().int(),
  /** When the core that signed it started. */
  life: z.number().int(),
});
export type QueueClaim = z.infer<typeof QueueClaim>;
