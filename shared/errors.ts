/**
 * The one catalogue of what can go wrong in the world: bad input, refusals, failures of a peer.
 *
 * A failure keeps its `kind` across every process boundary. Callers branch on `kind`, never on the
 * message. Mistakes of the programmer are not here: those are plain assertions.
 */
import { z } from "zod";

interface CatalogueEntry {
  /** HTTP status where the failure answers a request. */
  readonly status: number;
  /** Websocket close code where the failure ends a connection. */
  readonly closeCode: number;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean;
  /** What a person sees, when nothing more precise is known. */
  readonly message: string;
}

/**
 * Close codes 1001 and 4010 make clients retry, stock Colyseus clients too; every other is final.
 * 44xx are ours: they follow the HTTP status they resemble.
 */
const catalogue = {
  bad_request: entry(400, 4400, false, "The request has a wrong form."),
  unauthorized: entry(401, 4401, false, "Log in first."),
  token_expired: entry(401, 4401, true, "The access token has expired; refresh it."),
  token_reused: entry(401, 4401, false, "This log-in was used elsewhere and has been ended."),
  logged_out: entry(401, 4401, false, "You were logged out everywhere."),
  reset_invalid: entry(410, 4410, false, "The link was used or has expired; ask for another."),
  account_deleted: entry(410, 4410, false, "This account was deleted."),
  banned: entry(403, 4403, false, "This account is banned."),
  ticket_invalid: entry(401, 4401, false, "The join ticket is not valid here."),
  ticket_expired: entry(401, 4410, false, "The join ticket has expired; join again."),
  ticket_used: entry(409, 4409, false, "The join ticket was used already."),
  forbidden: entry(403, 4403, false, "Not allowed."),
  origin_refused: entry(403, 4403, false, "This web origin is not on the allow-list."),
  not_found: entry(404, 4404, false, "There is no such thing here."),
  unknown_game: entry(404, 4404, false, "No region runs a game of that name."),
  room_not_found: entry(404, 4404, false, "The room is gone or never was."),
  room_full: entry(409, 4429, true, "The room is full."),
  conflict: entry(409, 4409, false, "The same id was used with another body."),
  reconnect_expired: entry(410, 4003, false, "The seat was not kept for that long; join again."),
  request_timeout: entry(408, 4400, true, "The request did not arrive as a whole in time."),
  payload_too_large: entry(413, 1009, false, "The message is larger than the limit."),
  invalid_message: entry(422, 4400, false, "The message has a wrong form."),
  update_required: entry(426, 4426, false, "This client is too old; update it."),
  too_many_requests: entry(429, 4429, true, "Too many requests; slow down."),
  too_many_messages: entry(429, 4429, false, "Too many messages a second."),
  session_taken_over: entry(409, 4408, false, "You logged in elsewhere."),
  resync: entry(503, 4010, true, "The connection could not keep up; reconnect for a fresh state."),
  not_prepared: entry(500, 4400, false, "The game could not load what it needs to start."),
  going_away: entry(503, 1001, true, "The server is going away; reconnect."),
  room_moved: entry(503, 1001, true, "The room goes on at another server; reconnect."),
  region_full: entry(503, 4429, true, "Every region is full."),
  queued: entry(503, 4503, true, "Every seat is taken: ask again to keep your place in the queue."),
  queue_full: entry(503, 4503, true, "The queue is full; come back in a while."),
  place_lost: entry(410, 4410, false, "That place in the queue was given up; join again."),
  overloaded: entry(503, 4429, true, "There is too much to do here right now; try again later."),
  no_region: entry(503, 4503, true, "No region can take players right now."),
  party_apart: entry(503, 4503, true, "No region is near enough to all of the party yet."),
  unavailable: entry(503, 4503, true, "The service can't answer right now."),
  timeout: entry(504, 4504, true, "No answer within the deadline."),
  unknown_region: entry(403, 4403, false, "The topology names no such region."),
  stale_incarnation: entry(409, 4409, false, "A newer life of this node is known."),
  value_refused: entry(409, 4409, false, "The core refused the operation."),
  outbox_full: entry(503, 4503, true, "Changes can't be stored right now; try again later."),
  receipt_refused: entry(422, 4400, false, "The store's receipt is not valid here."),
  fenced: entry(409, 4409, false, "This owner was fenced."),
  caller_gone: entry(499, 4499, true, "The caller went away before the answer."),
  internal: entry(500, 4002, true, "Something failed on our side."),
} as const satisfies Record<string, CatalogueEntry>;

/** Every kind of failure there is. */
export type ErrorKind = keyof typeof catalogue;

/** Of a failure that came without one: of a kind that is not known either it may be tried again. */
const STATUS_UNKNOWN = 503;

/** Why a player may not play, and until when. */
export const Ban = z.object({
  reason: z.string(),
  /** ISO 8601; null when it does not end by itself. */
  endsAt: z.string().nullable(),
});
export type Ban = z.infer<typeof Ban>;

/** What every failed HTTP call answers with. */
export const ErrorBody = z.object({
  error: z.object({
    kind: z.string(),
    message: z.string(),
    retryable: z.boolean(),
    /** How long to wait before trying again, in ms, where the server knows. */
    retryAfterMs: z.number().nonnegative().optional(),
    /** With `banned`. */
    ban: Ban.optional(),
  }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

/** What may be said about a failure besides its kind. */
export interface FailureDetails {
  /** For a person; must not hold secrets. Defaults to the catalogue's sentence. */
  readonly message?: string;
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
  /** With `banned`. */
  readonly ban?: Ban;
}

/** A failure of the world, of a kind that the catalogue names. */
export class MeridianError extends Error {
  readonly kind: ErrorKind;
  readonly retryAfterMs: number | undefined;
  readonly ban: Ban | undefined;

  constructor(kind: ErrorKind, details: FailureDetails = {}) {
    super(details.message ?? catalogue[kind].message, { cause: details.cause });
    this.name = "MeridianError";
    this.kind = kind;
    this.retryAfterMs = details.retryAfterMs;
    this.ban = details.ban;
  }

  get status(): number {
    return catalogue[this.kind].status;
  }

  get closeCode(): number {
    return catalogue[this.kind].closeCode;
  }

  get retryable(): boolean {
    return catalogue[this.kind].retryable;
  }

  /** The body of an HTTP answer. */
  toBody(): ErrorBody {
    const { kind, message, retryable, retryAfterMs, ban } = this;
    const error = { kind, message, retryable };
    return { error: { ...error, ...defined({ retryAfterMs, ban }) } };
  }
}

/** Whether `value` is a failure of that kind (of any kind, without one). */
export function isFailure(value: unknown, kind?: ErrorKind): value is MeridianError {
  return value instanceof MeridianError && (kind === undefined || value.kind === kind);
}

/**
 * The failure that a peer answered with. A kind that this build does not know (a newer peer) becomes
 * `unavailable` or `bad_request`, after its status, and keeps its message.
 */
export function failureFromBody(status: number, body: unknown): MeridianError {
  const parsed = ErrorBody.safeParse(body);
  if (!parsed.success) {
    const kind = status >= 500 ? "unavailable" : "bad_request";
    return new MeridianError(kind, { message: `Unexpected answer with status ${status}.` });
  }
  const { kind, message, retryAfterMs, ban } = parsed.data.error;
  const known = isErrorKind(kind) ? kind : status >= 500 ? "unavailable" : "bad_request";
  return new MeridianError(known, { message, ...defined({ retryAfterMs, ban }) });
}

/**
 * Of several questions in one call: what each is answered with, in their order, or the body of its failure.
 * @throws what is no failure of the world
 */
export function eachAnswered<Question, Answer>(
  questions: readonly Question[],
  answer: (question: Question) => Promise<Answer>,
): Promise<(Answer | ErrorBody)[]> {
  const answered = questions.map(async (question) => {
    try {
      return await answer(question);
    } catch (error) {
      if (!isFailure(error)) throw error;
      return error.toBody();
    }
  });
  return Promise.all(answered);
}

/** Such answers at the one who asked: failures as what they are. */
export function failuresIn<Answer extends object>(
  answers: readonly (Answer | ErrorBody)[],
): (Answer | MeridianError)[] {
  return answers.map((answer) =>
    "error" in answer ? failureFromBody(STATUS_UNKNOWN, answer) : answer,
  );
}

/** The catalogue's line on a kind. */
export function describeKind(kind: ErrorKind): CatalogueEntry {
  return catalogue[kind];
}

/** All kinds, for documents and tests. */
export function errorKinds(): ErrorKind[] {
  return Object.keys(catalogue) as ErrorKind[];
}

function isErrorKind(kind: string): kind is ErrorKind {
  return Object.hasOwn(catalogue, kind);
}

function defined(given: { retryAfterMs: number | undefined; ban: Ban | undefined }) {
  const { retryAfterMs, ban } = given;
  return { ...(retryAfterMs !== undefined && { retryAfterMs }), ...(ban && { ban }) };
}

function entry(
  status: number,
  closeCode: number,
  retryable: boolean,
  message: string,
): CatalogueEntry {
  return { status, closeCode, retryable, message };
}
