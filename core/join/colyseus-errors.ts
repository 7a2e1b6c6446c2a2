/**
 * Our failures as stock Colyseus clients understand them: the HTTP status is Colyseus' own code (520 to
 * 526, which the client gives the game as `error.code`), `error` is the message. Our kind goes along.
 */
import { z } from "zod";
import { type ErrorKind, errorKinds, MeridianError } from "../../shared/errors.ts";
import { describeFailures } from "../http/failures.ts";

/** Colyseus' codes, as in its `ErrorCode`. */
export const COLYSEUS = {
  noHandler: 520,
  invalidCriteria: 521,
  invalidRoomId: 522,
  unhandled: 523,
  expired: 524,
  authFailed: 525,
  application: 526,
} as const;

export const ColyseusErrorBody = z.object({
  code: z.number().int(),
  error: z.string(),
  kind: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.number().nonnegative().optional(),
});

const codes: Partial<Record<ErrorKind, number>> = {
  not_found: COLYSEUS.noHandler,
  unknown_game: COLYSEUS.noHandler,
  bad_request: COLYSEUS.application,
  payload_too_large: COLYSEUS.application,
  too_many_requests: COLYSEUS.application,
  queued: COLYSEUS.application,
  queue_full: COLYSEUS.application,
  update_required: COLYSEUS.application,
  room_full: COLYSEUS.invalidCriteria,
  room_not_found: COLYSEUS.invalidRoomId,
  reconnect_expired: COLYSEUS.expired,
  ticket_expired: COLYSEUS.expired,
  session_taken_over: COLYSEUS.expired,
  unauthorized: COLYSEUS.authFailed,
  token_expired: COLYSEUS.authFailed,
  token_reused: COLYSEUS.authFailed,
  forbidden: COLYSEUS.authFailed,
  banned: COLYSEUS.authFailed,
  origin_refused: COLYSEUS.authFailed,
};

/** Response schemas by HTTP status, to be spread into a route's `response`. */
export function colyseusFailures(): Record<number, z.ZodType> {
  const entries = Object.values(COLYSEUS).map((code) => {
    const kinds = errorKinds().filter((kind) => {
      const failure = new MeridianError(kind);
      return ["join", "joinById"].some((method) => colyseusCode(failure, method) === code);
    });
    return [code, describeFailures(ColyseusErrorBody, kinds)];
  });
  return Object.fromEntries(entries);
}

/**
 * @param method of the matchmaking: a `join` that finds no room asked for what is not there
 *   (`invalidCriteria`), any other names a room that is gone
 */
export function colyseusCode(failure: MeridianError, method: string): number {
  if (failure.kind === "room_not_found" && method === "join") return COLYSEUS.invalidCriteria;
  return codes[failure.kind] ?? COLYSEUS.unhandled;
}

export function colyseusBody(
  failure: MeridianError,
  method: string,
): z.infer<typeof ColyseusErrorBody> {
  const { kind, message, retryable, retryAfterMs } = failure;
  const body = { code: colyseusCode(failure, method), error: message, kind, retryable };
  return retryAfterMs === undefined ? body : { ...body, retryAfterMs };
}
