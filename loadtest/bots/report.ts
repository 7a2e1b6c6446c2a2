/** How a run of bots is shown: one line while it goes on, a few at its end. Pure. */
import { type Census, STANDINGS, type Tally } from "./tally.ts";

export function statusLine(census: Census, tally: Tally): string {
  return [
    `${Math.round(tally.passedMs / 1_000)} s`,
    STANDINGS.map((standing) => `${standing} ${census.bots[standing]}`).join("  "),
    ...(census.regions.size > 0 ? [regionsText(census)] : []),
    `join ${joinText(tally)}`,
    `disconnects ${tally.disconnects}`,
  ].join(" | ");
}

/** @param unfinished bots whose room had not let them go in time */
export function summaryText(tally: Tally, unfinished: number): string {
  const { joins, disconnects, roomsLost, banked, failures } = tally;
  const kinds = [...failures].map(([kind, count]) => `${kind} ${count}`).join(", ");
  return [
    `${seconds(tally.passedMs)}: up to ${playing(tally)}`,
    `  joins        ${joins}, ${joinText(tally)}`,
    `  disconnects  ${disconnects}, of which ${roomsLost} lost their room`,
    `  failures     ${kinds || "none"}`,
    `  banked       ${banked} coins`,
    ...(unfinished > 0 ? [`  ${unfinished} bots did not leave in time: their seats lapse`] : []),
  ].join("\n");
}

function regionsText({ regions }: Census): string {
  return [...regions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([regionId, players]) => `${regionId} ${players}`)
    .join("  ");
}

function playing({ playingMost, playingMostAfterMs }: Tally): string {
  const when = playingMost > 0 ? `, first after ${seconds(playingMostAfterMs)}` : "";
  return `${playingMost} bots at play${when}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function joinText(tally: Tally): string {
  const inMs = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(0));
  return `p50 ${inMs(tally.joinMs(50))} p99 ${inMs(tally.joinMs(99))} ms`;
}
