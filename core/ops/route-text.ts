/** How `npm run route` shows an answer; 100 columns at most. Pure. */
import type { ExplainedRegion, ExplainedRoute } from "../../shared/protocol/route.ts";
import { table } from "./cli-text.ts";

export const ROUTE_USAGE = `Usage: npm run route -- --ip ADDRESS [OPTIONS]

  --ip ADDRESS             where the player calls from, IPv4 or IPv6
  --explain                all regions with each term of their score, and why each lost
  --game NAME              only regions that run this game
  --region REGION          as if the player insisted on it
  --round-trips R=MS,R=MS  as if the player had measured these
  --json                   the core's whole answer

Ends with 1 when no region is eligible, nor has a queue to wait in. Environment: as npm run ops.
`;

const COLUMNS_MAX = 100;
/** Next ones that the short form names. */
const NEXT_MAX = 3;
const HEADER = [
  "",
  "REGION",
  "STATE",
  "KM",
  "ROUND TRIP",
  "",
  "LATENCY",
  "LOAD",
  "HOME",
  "FRIENDS",
  "SCORE",
];

/** Where the address is taken to be. */
export function placeText(ip: string, { place }: Pick<ExplainedRoute, "place">): string {
  const { label, latitude, longitude, source } = place;
  const at = `${degrees(latitude, "N", "S")} ${degrees(longitude, "E", "W")}`;
  if (source === "default") {
    return `${ip} is on no map: taken to be where the core is, in ${label} (${at}).`;
  }
  const how = source === "override" ? "by an override (GEO_OVERRIDES)" : "by geo-IP";
  return `${ip} is taken to be in ${label} (${at}), ${how}.`;
}

/** The first choice, and those after it. */
export function chosenText({ ranking }: ExplainedRoute): string {
  const [best, ...others] = ranking.filter(({ eligible }) => eligible);
  if (!best) return "";
  const next = others.slice(0, NEXT_MAX).map(scored).join(", ");
  const lines = wrapped(next === "" ? "There is no other." : `Next: ${next}.`, COLUMNS_MAX);
  const does = best.full ? "No seat is free anywhere. It waits for one in" : "It plays in";
  return [`${does} ${scored(best)}.`, ...lines].join("\n");
}

/** Every region with every term, and below why each won or lost. Terms are in ms. */
export function explainedText({ ranking }: ExplainedRoute): string {
  const rows = ranking.map((one, index) => rowOf(one, index === 0 && one.eligible));
  const width = Math.max(0, ...ranking.map(({ regionId }) => regionId.length));
  const why = ranking.flatMap((one) => whyLines(one, width + 4));
  return `${table(alignedRight([HEADER, ...rows]))}\n\nWhy (all in ms; lower is better):\n${why.join("\n")}`;
}

function rowOf(one: ExplainedRegion, chosen: boolean): string[] {
  return [
    chosen ? "*" : "",
    one.regionId,
    one.state,
    String(one.km),
    one.roundTripMs.toFixed(1),
    one.basis,
    one.latencyMs.toFixed(1),
    signed(one.loadMs, "+"),
    signed(one.homeMs, "−"),
    signed(one.friendsMs, "−"),
    one.score === null ? "-" : one.score.toFixed(1),
  ];
}

function signed(ms: number, sign: string): string {
  return ms === 0 ? "0" : `${sign}${ms.toFixed(1)}`;
}

/** Numbers end at the same column. */
function alignedRight(rows: readonly (readonly string[])[]): string[][] {
  const numbers = new Set([3, 4, 6, 7, 8, 9, 10]);
  return rows.map((row) =>
    row.map((cell, column) => {
      const width = Math.max(...rows.map((other) => other[column]?.length ?? 0));
      return numbers.has(column) ? cell.padStart(width) : cell;
    }),
  );
}

function whyLines({ regionId, verdict, reasons }: ExplainedRegion, indent: number): string[] {
  const details = reasons.filter((reason) => reason !== verdict).join("; ");
  const [first = "", ...more] = [
    ...wrapped(verdict, COLUMNS_MAX - indent),
    ...wrapped(details, COLUMNS_MAX - indent),
  ];
  return [
    `  ${regionId.padEnd(indent - 2)}${first}`,
    ...more.map((line) => " ".repeat(indent) + line),
  ];
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}

function scored({ regionId, score, roundTripMs, basis }: ExplainedRegion): string {
  return `${regionId} (score ${score?.toFixed(1)}, ${roundTripMs.toFixed(1)} ms ${basis})`;
}

function degrees(value: number, positive: string, negative: string): string {
  return `${Math.abs(value).toFixed(2)}°${value < 0 ? negative : positive}`;
}
