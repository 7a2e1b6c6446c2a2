/** What became of players whose room had to go on elsewhere. Pure. */
import type { Leg } from "./leg.ts";
import { type PassageKind, passagesOf } from "./passages.ts";

export interface Resumption {
  readonly player: string;
  /** Undefined for one whose leg goes on. */
  readonly kind: PassageKind | undefined;
  /** In the same room, the own entity seen and an input echoed. */
  readonly resumed: boolean;
  /** From the blow until then, ms. */
  readonly tookMs: number | undefined;
  /** From the last state that was seen before until then, ms. */
  readonly pauseMs: number | undefined;
  /** Of the room's time, ms: what the room, and the player's document, were restored to before what was seen. */
  readonly rolledBackMs: number;
  readonly documentLostMs: number;
}

/**
 * @param struck the legs on which the players were at the blow
 * @param legs all of them, up to now
 * @param atMs of the blow
 */
export function resumptionsOf(
  struck: readonly Leg[],
  legs: readonly Leg[],
  atMs: number,
): Resumption[] {
  const passages = new Map(passagesOf(legs).map((passage) => [keyOf(passage.from), passage]));
  return struck.map((at) => {
    const passage = passages.get(keyOf(at));
    const kind = passage?.kind;
    const back = kind === "moved" || kind === "stayed" ? backAt(at, legs) : undefined;
    const seenMs = passage?.from.last?.atMs;
    return {
      player: at.player,
      kind,
      resumed: back !== undefined,
      tookMs: back && back - atMs,
      pauseMs: back && seenMs && back - seenMs,
      rolledBackMs: passage?.rolledBackMs ?? 0,
      documentLostMs: passage?.documentLostMs ?? 0,
    };
  });
}

/** When an input was echoed first after that leg, in the same room; it may have broken again in between. */
function backAt({ player, beganMs, roomId }: Leg, legs: readonly Leg[]): number | undefined {
  const echoes = legs.filter(
    (leg) => leg.player === player && leg.beganMs > beganMs && leg.roomId === roomId,
  );
  const times = echoes.flatMap(({ echoedMs }) => echoedMs ?? []);
  return times.length > 0 ? Math.min(...times) : undefined;
}

function keyOf({ player, beganMs }: Leg): string {
  return `${player} ${beganMs}`;
}
