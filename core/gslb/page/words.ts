/** What the page says in words. Pure. */
import type { ExplainedRegion, ExplainedRoute } from "../../../shared/protocol/route.ts";

/** The page's headline. */
export function choiceWords({ regionId, ranking, reason }: ExplainedRoute): string {
  const best = ranking.find((one) => one.regionId === regionId);
  if (!best) return `There is nowhere to play: ${reason ?? "no region is eligible"}`;
  return `You play in ${best.name}, ${milliseconds(best.roundTripMs)} away`;
}

/** Where the core thinks the player is, and how it knows. */
export function placeWords({ place }: ExplainedRoute): string {
  const { label, latitude, longitude, source } = place;
  const at = `${degrees(latitude, "N", "S")}, ${degrees(longitude, "E", "W")}`;
  if (source === "default") {
    return `Your address is on no map, so you count as where the core is: ${label} (${at}).`;
  }
  const how = source === "override" ? "as an operator said of your address" : "by your address";
  return `The core takes you to be in ${label} (${at}), ${how}.`;
}

/** How a region's round trip is known. */
export function basisWords({ basis, km }: Pick<ExplainedRegion, "basis" | "km">): string {
  if (basis === "measured") return "measured";
  if (basis === "unanswered") return "no answer";
  return `estimated, ${km.toLocaleString("en")} km`;
}

export function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** A term of the score, with its sign. */
export function term(ms: number, sign: "+" | "−"): string {
  return ms === 0 ? "0" : `${sign}${ms.toFixed(1)}`;
}

function degrees(value: number, positive: string, negative: string): string {
  return `${Math.abs(value).toFixed(1)}°${value < 0 ? negative : positive}`;
}
