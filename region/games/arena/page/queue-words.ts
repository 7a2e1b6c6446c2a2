/** What a player who waits is told, in words. Pure. */
import type { WaitingPlace } from "../../../../shared/client/connection.ts";
import type { Eta, QueueOffer } from "../../../../shared/protocol/queue.ts";

type City = (regionId: string) => string;

/** Below it a wait is "a few seconds". */
const MOMENT_MS = 8_000;
/** The last bounds are told in steps of so many seconds. */
const STEP_S = 5;
/** Above this many of a unit, the next larger one is used. */
const UNITS = [
  { name: "s", ms: 1_000, below: 90, step: STEP_S },
  { name: "min", ms: 60_000, below: 90, step: 1 },
  { name: "h", ms: 3_600_000, below: Number.POSITIVE_INFINITY, step: 0.5 },
] as const;
/** Bounds this far apart are no estimate worth the name. */
const UNSURE = 3;

/** How far the player has come. */
export function placeInWords({ position, regionId, partySize }: WaitingPlace, city: City): string {
  const you = partySize > 1 ? `You ${partySize}` : "You";
  if (position === null) return `${you} are here for the opening of ${city(regionId)}`;
  if (position === 1) return `${you} are next in line for ${city(regionId)}`;
  return `${you} are ${ordinal(position)} in line for ${city(regionId)}`;
}

/**
 * How long it will take, and how sure that is.
 * @param passedMs since that was said
 */
export function etaInWords(eta: Eta | null, passedMs: number): string {
  if (!eta) return "How long it takes can't be told yet";
  const [ms, lowMs, highMs] = [eta.ms, eta.lowMs, eta.highMs].map((of) =>
    Math.max(0, of - passedMs),
  );
  if (ms === undefined || lowMs === undefined || highMs === undefined) return "";
  const about = durationInWords(ms);
  if (ms < MOMENT_MS) return capital(about);
  const unit = unitOf(ms);
  const [low, high] = [countOf(lowMs, unit), countOf(highMs, unit)];
  if (low === high) return capital(about);
  const bounds = low === 0 ? `at most ${high} ${unit.name}` : `${low} to ${high} ${unit.name}`;
  const sure = high > UNSURE * Math.max(low, unit.step) ? "but it may be" : "likely";
  return `${capital(about)}, ${sure} ${bounds}`;
}

/** Such as `about 4 min`. */
export function durationInWords(ms: number): string {
  if (ms < MOMENT_MS) return "a few seconds";
  const unit = unitOf(ms);
  return `about ${countOf(ms, unit)} ${unit.name}`;
}

/** On the button. */
export function offerInWords({ regionId, addedMs, eta }: QueueOffer, city: City): string {
  const further = Math.round(addedMs);
  const latency = further > 0 ? `+${further} ms` : "as near";
  const wait = eta.ms === 0 ? "at once" : durationInWords(eta.ms);
  return `Play in ${city(regionId)}: ${latency}, ${wait}`;
}

/** What else there is to know. */
export function moreInWords(place: WaitingPlace, city: City): string {
  const { waiting, alsoWaitsFor, accepting, position } = place;
  const crowd = waiting > 1 ? `${waiting.toLocaleString("en")} wait there` : "";
  const second = alsoWaitsFor ?? accepting;
  const also = second ? `You are in line for ${city(second)}, too` : "";
  const drawn =
    position === null ? "Your place in line is drawn then: being early changes nothing" : "";
  return [drawn, crowd, also].filter(Boolean).join(" · ");
}

/** Until a moment that is certain. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const parts = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, at) => (at === 0 ? `${part}` : `${part}`.padStart(2, "0"))).join(":");
}

/** @returns from 0, where the wait began, to 1 */
export function progressOf(place: WaitingPlace, nowMs: number): number {
  const { position, firstPosition, opensAtMs, sinceMs } = place;
  if (position === null && opensAtMs !== undefined) {
    return share(nowMs - sinceMs, opensAtMs - sinceMs);
  }
  if (position === null || firstPosition === null) return 0;
  return share(firstPosition - position, firstPosition);
}

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
}

type Unit = (typeof UNITS)[number];

function unitOf(ms: number): Unit {
  return UNITS.find((unit) => countOf(ms, unit) < unit.below) ?? UNITS[2];
}

function countOf(ms: number, { ms: unitMs, step }: Unit): number {
  return Math.round(ms / unitMs / step) * step;
}

export function ordinal(count: number): string {
  const endings: Record<string, string> = { one: "st", two: "nd", few: "rd", other: "th" };
  const rule = new Intl.PluralRules("en", { type: "ordinal" }).select(count);
  return `${count.toLocaleString("en")}${endings[rule] ?? "th"}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
