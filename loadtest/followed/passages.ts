/**
 * How players passed from one leg to the next, and what they were promised of that. Pure.
 *
 * - **same room, same entity**: whoever comes back has the same session and entity;
 * - **progress**: a room that went on elsewhere has every score that was seen up to the tick it was restored to,
 *   and that tick is not further back than the stated loss from the highest one that any client saw;
 * - **saved**: what was told as saved of a document is in it;
 * - **one owner**: nobody sees a room move on at its former owner long after somebody saw it at the next.
 */
import { type Leg, ownerOf, type Sight } from "./leg.ts";

export const TICK_MS = 50;

/** `stayed`: at the same owner. `moved`: the same room, at another. `lost`: another room. `away`: not back yet. */
export type PassageKind = "stayed" | "moved" | "lost" | "away";

export interface Passage {
  readonly kind: PassageKind;
  readonly from: Leg;
  /** The leg on which the player was seen again. */
  readonly to: Leg | undefined;
  /** Of a `moved` one, ms of the room's time: from the highest tick that any client saw of the former owner. */
  readonly rolledBackMs: number;
  /** Likewise: what the player's document lost of what the player saw written. */
  readonly documentLostMs: number;
}

/** Of every player, in the order of time; legs that show nothing of the room are none. */
export function passagesOf(legs: readonly Leg[]): Passage[] {
  const highest = highestTicks(legs);
  return [...byPlayer(legs).values()].flatMap((own) => passagesOfOne(own, highest));
}

function passagesOfOne(legs: readonly Leg[], highest: ReadonlyMap<string, number>): Passage[] {
  const passages: Passage[] = [];
  for (const [index, from] of legs.entries()) {
    if (!from.last || !from.end || from.end.how === "left") continue;
    const after = legs.slice(index + 1);
    const to = after.find(({ first }) => first !== undefined);
    const until = to ? after.indexOf(to) : after.length;
    const gaveUp = after.slice(0, until).some(({ end }) => end?.how === "lost");
    const kind = kindOf(from, to, gaveUp);
    const restoredTick = to && kind === "moved" ? to.bornTick - 1 : undefined;
    passages.push({
      kind,
      from,
      to,
      rolledBackMs: behindMs(highest.get(ownerOf(from)), restoredTick),
      documentLostMs: behindMs(from.last.docTick, restoredTick && to?.loadedTick),
    });
  }
  return passages;
}

function kindOf(from: Leg, to: Leg | undefined, gaveUp: boolean): PassageKind {
  if (gaveUp || (to && to.roomId !== from.roomId)) return "lost";
  if (!to) return "away";
  return ownerOf(to) === ownerOf(from) ? "stayed" : "moved";
}

export interface Bounds {
  /** How far a room may be rolled back, ms of its own time. */
  readonly rolledBackMs: number;
  /** How long a room may be seen at its former owner after it was seen at the next, ms. */
  readonly twoOwnersMs: number;
}

/** What was promised and does not hold, in words; none is as it should be. */
export function brokenPromises(legs: readonly Leg[], bounds: Bounds): string[] {
  const broken = passagesOf(legs).flatMap((passage) => brokenBy(passage, bounds));
  return [...broken, ...twoOwners(legs, bounds.twoOwnersMs)];
}

function brokenBy({ kind, from, to, rolledBackMs }: Passage, bounds: Bounds): string[] {
  if (!to?.first || !from.last || (kind !== "moved" && kind !== "stayed")) return [];
  const who = `player ${from.player} in room ${from.roomId}`;
  const broken: string[] = [];
  if (to.sessionId !== from.sessionId || to.entityId !== from.entityId) {
    const [was, is] = [from, to].map(({ sessionId, entityId }) => `${entityId} of ${sessionId}`);
    broken.push(`${who} was ${was} and is ${is}`);
  }
  const keptUpToTick = kind === "moved" ? to.bornTick - 1 : Number.POSITIVE_INFINITY;
  const kept = progressUpTo(from, keptUpToTick);
  if (to.first.progress < kept) {
    broken.push(
      `${who} had ${kept} at tick ${keptUpToTick}, and came back to ${to.first.progress}`,
    );
  }
  if (kind === "stayed") return broken;
  if (rolledBackMs > bounds.rolledBackMs) {
    broken.push(`${who} was rolled back ${rolledBackMs} ms, more than ${bounds.rolledBackMs}`);
  }
  if (to.loadedTick < from.last.savedTick) {
    broken.push(`${who} was told that ${from.last.savedTick} is saved, and has ${to.loadedTick}`);
  }
  return broken;
}

/** The last progress that was seen at that tick or before it; 0 where nothing was. */
function progressUpTo({ marks, last }: Leg, tick: number): number {
  if (last && last.tick <= tick) return last.progress;
  return marks.findLast((mark: Sight) => mark.tick <= tick)?.progress ?? 0;
}

/** Of each room's owners, in the order in which they were first seen. */
function twoOwners(legs: readonly Leg[], allowedMs: number): string[] {
  const seen = new Map<string, { roomId: string; fromMs: number; untilMs: number }>();
  for (const leg of legs) {
    if (!leg.first || !leg.last) continue;
    const owner = seen.get(ownerOf(leg));
    seen.set(ownerOf(leg), {
      roomId: leg.roomId,
      fromMs: Math.min(owner?.fromMs ?? leg.first.atMs, leg.first.atMs),
      untilMs: Math.max(owner?.untilMs ?? leg.last.atMs, leg.last.atMs),
    });
  }
  const rooms = grouped([...seen.values()], ({ roomId }) => roomId);
  return [...rooms].flatMap(([roomId, owners]) => {
    const inOrder = owners.sort((a, b) => a.fromMs - b.fromMs);
    return inOrder.flatMap(({ untilMs }, index) => {
      const next = inOrder[index + 1];
      const bothMs = next ? untilMs - next.fromMs : 0;
      return bothMs > allowedMs ? [`room ${roomId} had two owners for ${bothMs} ms`] : [];
    });
  });
}

function highestTicks(legs: readonly Leg[]): Map<string, number> {
  const highest = new Map<string, number>();
  for (const leg of legs) {
    const owner = ownerOf(leg);
    highest.set(owner, Math.max(highest.get(owner) ?? 0, leg.last?.tick ?? 0));
  }
  return highest;
}

function byPlayer(legs: readonly Leg[]): Map<string, Leg[]> {
  const inOrder = legs.toSorted((a, b) => a.beganMs - b.beganMs);
  return grouped(inOrder, ({ player }) => player);
}

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}

function behindMs(tick: number | undefined, restoredTick: number | undefined): number {
  if (tick === undefined || restoredTick === undefined) return 0;
  return Math.max(0, tick - restoredTick) * TICK_MS;
}
