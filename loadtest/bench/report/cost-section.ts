/** The cost of 1,000 players as a section of the page. */
import { ASSUMED, type Cost, type CostLine, PLAYERS } from "./cost.ts";
import { number } from "./figure.ts";

/** At the rate of the table, in 30 days, TB of 10^12 bytes. */
const TB_OF_30_DAYS_PER_MBIT = (1e6 / 8) * 86_400 * 30 * 1e-12;

export function costSection({ lines, total, missing }: Cost): string {
  const heading = "## Cost of 1,000 players";
  // Without what the rooms themselves take, a sum of the rest would mislead.
  if (missing.includes("rooms")) return `${heading}\n\nNot known before \`rooms\` is measured.`;
  const rows = lines.map((line) => row(line.what, line, `\`${line.from}\``));
  const { region, core, databases } = total.cores;
  const lacking =
    missing.length === 0
      ? ""
      : `\n\n**Not in it**, because not measured yet: ${missing.map((name) => `\`${name}\``).join(", ")}.`;
  return `${heading}

${number(PLAYERS)} players at play, their rooms' copies in another region, and their share of the core and its database:
**${cores(region + core + databases)} processors, ${memory(total.memoryMb)} MB, ${number(total.egressMbitPerS)} Mbit/s out**
(${number(total.egressMbitPerS * TB_OF_30_DAYS_PER_MBIT)} TB in 30 days, if they play day and night).

| | CPU of regions | of the core | of databases | memory, MB | out, Mbit/s | from |
|---|---|---|---|---|---|---|
${[...rows, row("**together**", total, "")].join("\n")}${lacking}

CPU is in processors of the machine that each was measured on, one of which is kept busy at 1. It is what the work takes,
not what to buy: a node's ticks come late before its processor is full, so plan with two thirds of it at most, and with
one node more than needed (N+1).

What is assumed: the game of \`rooms\`, where everybody moves all the time, ${ASSUMED.roomSeats} a room, ${ASSUMED.patchesPerS} inputs and \
${ASSUMED.patchesPerS} patches a second for each,
each patch in a packet of its own whose heads have ${ASSUMED.packetHeadBytes} bytes (IP 20, TCP 32, TLS 22); one copy of each room, whose CPU for a
patch costs as much more as in \`replication\`, sending and receiving together, and whose bytes are counted before
encryption; ${per(ASSUMED.rowsPerPlayerPerS, "row")} of a document for each player and second; ${per(ASSUMED.valueOpsPerPlayerPerMin, "operation")} on money for each player and
minute, as dear as with 64 callers; a join for each every ${ASSUMED.stayMin} minutes. A node's and the core's process count once, though they
serve more players than these. Not counted: what comes in (acknowledgements and inputs), the memory of PostgreSQL and
Redis, which is a setting, disks, and whatever a game's own rules compute.`;
}

function row(what: string, line: Omit<CostLine, "what" | "from">, from: string): string {
  const cells = [
    what,
    ...[line.cores?.region, line.cores?.core, line.cores?.databases].map((value) =>
      value === undefined ? "" : cores(value),
    ),
    line.memoryMb === undefined ? "" : memory(line.memoryMb),
    line.egressMbitPerS === undefined ? "" : number(line.egressMbitPerS),
    from,
  ];
  return `| ${cells.join(" | ")} |`;
}

function cores(value: number): string {
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

function memory(mb: number): string {
  return number(Math.round(mb));
}

function per(count: number, what: string): string {
  return count === 1 ? `one ${what}` : `${number(count)} ${what}s`;
}
