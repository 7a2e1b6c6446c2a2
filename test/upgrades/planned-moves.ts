/** What followed players went through while nodes were replaced under them. Pure. */
import type { Leg } from "../../loadtest/followed/leg.ts";
import { type Passage, passagesOf } from "../../loadtest/followed/passages.ts";

/** From a node that was being replaced its rooms moved, and their players with them. */
export interface PlannedMove {
  readonly nodeId: string;
  readonly fromMs: number;
  /** When it ran no more. */
  readonly untilMs: number;
}

export interface MoveBounds {
  /** Within it a player of a moved room is back in it, its inputs heard, ms. */
  readonly resumeMs: number;
}

export interface Judged {
  /** One line for each connection that ended and should not have, and for each player who was not carried along. */
  readonly disconnects: readonly string[];
  /** Of those who were carried along: from the last state seen at the old node to the first input heard at the new. */
  readonly pausesMs: readonly number[];
}

/**
 * A connection may end in one way only: its room moves away from a node that is being replaced, and the player is in
 * the same room and session again in time. All else is a disconnect: a connection that breaks at a node that stays, a
 * room that is lost, a player who is sent away or away for longer.
 */
export function judgeMoves(
  legs: readonly Leg[],
  moves: readonly PlannedMove[],
  { resumeMs }: MoveBounds,
): Judged {
  const disconnects = legs.flatMap(sentAway);
  const pausesMs: number[] = [];
  for (const passage of passagesOf(legs)) {
    const { from } = passage;
    const pauseMs = pauseOf(passage, legs);
    const why = whyDisconnect(passage, moves) ?? tooLong(pauseMs, resumeMs);
    if (why !== undefined) disconnects.push(`${from.player} at ${from.nodeId}: ${why}`);
    else if (pauseMs !== undefined) pausesMs.push(pauseMs);
  }
  return { disconnects, pausesMs };
}

function sentAway({ player, nodeId, end }: Leg): string[] {
  if (end?.how !== "left" || end.why === "asked") return [];
  return [`${player} at ${nodeId}: sent away, ${end.why}`];
}

function whyDisconnect({ kind, from, to }: Passage, moves: readonly PlannedMove[]) {
  if (kind === "away") return "did not come back";
  if (kind === "lost") return "the room was lost";
  if (to?.sessionId !== from.sessionId) return "came back as somebody else";
  const atMs = from.last?.atMs ?? from.beganMs;
  const planned = moves.some((move) => {
    return move.nodeId === from.nodeId && move.fromMs <= atMs && atMs <= move.untilMs;
  });
  return planned ? undefined : "the connection broke, and nothing was being replaced there";
}

function tooLong(pauseMs: number | undefined, resumeMs: number): string | undefined {
  if (pauseMs === undefined) return "no input was heard any more";
  return pauseMs > resumeMs ? `away for ${pauseMs} ms` : undefined;
}

/** The connection may have broken again in between. */
function pauseOf({ from }: Passage, legs: readonly Leg[]): number | undefined {
  const echoes = legs.flatMap(({ player, roomId, beganMs, echoedMs }) => {
    const later = player === from.player && roomId === from.roomId && beganMs > from.beganMs;
    return later && echoedMs !== undefined ? [echoedMs] : [];
  });
  const seenMs = from.last?.atMs;
  return echoes.length > 0 && seenMs !== undefined ? Math.min(...echoes) - seenMs : undefined;
}
