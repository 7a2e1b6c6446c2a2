/** What a failure of PostgreSQL means to a caller. */
import { MeridianError } from "../../shared/errors.ts";

/** SQLSTATEs that pass by themselves: connection lost or refused, shutdown, deadlock, too many. */
const PASSING_STATES = /^(08...|57P0[1-4]|53[0-9A-Z]{3}|40001|40P01|25P0[34])$/;
const STATEMENT_TIMEOUT = "57014";
/** Of `require_leader` (`migrations/0017_leader.sql`). */
const NOT_LEADER = "MR001";
const DEADLOCK = "40P01";
const IN_FAILED_TRANSACTION = "25P02";
const NETWORK_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);
/** What `pg` itself says of a connection that is lost or was never made: these have no code. */
const LOST_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired$)|not queryable$/;
/** Of what has a code: whether nobody is there to answer. Not deadlocks and the like: those are answers. */
const UNREACHABLE_STATES = /^(08...|57P0[1-3]|53300)$/;
const NO_ANSWER = "Query read timeout";
const RETRY_AFTER_MS = 1_000;

/**
 * `timeout` and `unavailable` for failures of the world; anything else is a mistake of ours (a wrong
 * statement, a broken constraint) and comes back as it is.
 */
export function databaseFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof MeridianError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === STATEMENT_TIMEOUT || error.message === NO_ANSWER) {
    return new MeridianError("timeout", {
      message: "The database did not answer.",
      cause: error,
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
  if (code === NOT_LEADER) {
    return new MeridianError("unavailable", {
      message: "This core does not lead any more.",
      cause: error,
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
  const lost = LOST_MESSAGES.test(error.message);
  const passing = PASSING_STATES.test(code) || NETWORK_CODES.has(code) || lost;
  if (!passing && !isRefusedEverywhere(error)) return error;
  return new MeridianError("unavailable", {
    message: "The database can't be reached.",
    cause: error,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** Whether an error says that no database answered, rather than what it answered. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof MeridianError) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return (
    UNREACHABLE_STATES.test(code) ||
    NETWORK_CODES.has(code) ||
    LOST_MESSAGES.test(error.message) ||
    error.message === NO_ANSWER ||
    isRefusedEverywhere(error)
  );
}

/** Whether a transaction was undone because its process does not lead. */
export function isGuardRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === NOT_LEADER;
}

/** Whether PostgreSQL ended the transaction because it and another waited for each other. */
export function isDeadlock(failure: unknown): boolean {
  const cause = failure instanceof MeridianError ? failure.cause : failure;
  return cause instanceof Error && "code" in cause && cause.code === DEADLOCK;
}

/** Whether the connection that met this error must not be used again (pg #3399). */
export function leavesConnectionBroken(error: unknown): boolean {
  return !(error instanceof MeridianError) && databaseFailure(error) instanceof MeridianError;
}

/** Whether a statement was not carried out because one before it, in its transaction, failed. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === IN_FAILED_TRANSACTION;
}

/** Node tries several addresses of a name and wraps their failures. */
function isRefusedEverywhere(error: Error): boolean {
  return (
    error instanceof AggregateError &&
    error.errors.some(
      (one: unknown) =>
        one instanceof Error && "code" in one && NETWORK_CODES.has(String(one.code)),
    )
  );
}
