/**
 * The place of an operation among its room's, which only the room's owner gets, and only of a core of the term
 * that its node knows of. One that gets none leaves the room as it was: those that share its transaction
 * are committed, and there must be no gap among their places.
 */
import { MeridianError } from "../../shared/errors.ts";
import { HEARTBEAT_PERIOD_MS } from "../../shared/protocol/link.ts";
import type { ValueRequest } from "../../shared/protocol/value.ts";
import type { Tx } from "../db/database.ts";
import { takeOpSeq } from "./value-store.ts";

/** @returns why there is none, for that operation alone: `fenced`, or `unavailable` by another term */
export async function takePlace(tx: Tx, request: ValueRequest): Promise<number | MeridianError> {
  const { op: _, opSeq: heardOf, coreTerm: expected, ...owner } = request;
  const { coreTerm, opSeq } = await takeOpSeq(tx, owner, { heardOf, expected });
  // Its node knows of another core than this one, and may keep what this one has lost.
  if (expected !== undefined && expected !== coreTerm) return otherTerm();
  return opSeq ?? new MeridianError("fenced", { message: "The room is not this node's any more." });
}

/** To be tried again, with the term of the next heartbeat's answer. */
export function otherTerm(): MeridianError {
  return new MeridianError("unavailable", {
    message: "The core's term is another one.",
    retryAfterMs: HEARTBEAT_PERIOD_MS,
  });
}
