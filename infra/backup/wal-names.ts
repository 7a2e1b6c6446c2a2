/**
 * Names of the write-ahead log's files, as PostgreSQL makes them: a segment is 24 hexadecimal digits, of
 * timeline, high half and low half of its place; `0000000A.history` says where timeline 10 left the one before.
 */
export interface Segment {
  readonly timeline: number;
  /** Counted from the log's first byte, in segments. */
  readonly number: number;
}

/** Where a timeline left another one. */
export interface Fork {
  readonly timeline: number;
  /** The last byte that both have in common is the one before. */
  readonly lsn: bigint;
}

const SEGMENT = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;
const HISTORY = /^([0-9A-F]{8})\.history$/;
const LSN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;
/** One high half counts so many bytes. */
const HALF = 2 ** 32;

export function segmentOfName(name: string, segmentBytes: number): Segment | undefined {
  const [, timeline, high, low] = SEGMENT.exec(name) ?? [];
  if (timeline === undefined || high === undefined || low === undefined) return undefined;
  const number = fromHex(high) * (HALF / segmentBytes) + fromHex(low);
  return { timeline: fromHex(timeline), number };
}

export function nameOfSegment({ timeline, number }: Segment, segmentBytes: number): string {
  const perHalf = HALF / segmentBytes;
  return hex(timeline) + hex(Math.floor(number / perHalf)) + hex(number % perHalf);
}

/** The timeline whose history this file is; undefined for other files. */
export function timelineOfHistory(name: string): number | undefined {
  const [, timeline] = HISTORY.exec(name) ?? [];
  return timeline === undefined ? undefined : fromHex(timeline);
}

export function historyName(timeline: number): string {
  return `${hex(timeline)}.history`;
}

/** Whom a timeline comes from, the oldest first, from the text of its history file. */
export function parseHistory(text: string): Fork[] {
  return text.split("\n").flatMap((line) => {
    const [timeline, lsn] = line.trim().split(/\s+/);
    const place = lsn === undefined ? undefined : parseLsn(lsn);
    return place === undefined ? [] : [{ timeline: Number(timeline), lsn: place }];
  });
}

/** A place in the log, as PostgreSQL writes it: `1/2A000028`. */
export function parseLsn(text: string): bigint | undefined {
  const [, high, low] = LSN.exec(text) ?? [];
  if (high === undefined || low === undefined) return undefined;
  return BigInt(`0x${high}`) * BigInt(HALF) + BigInt(`0x${low}`);
}

export function lsnText(lsn: bigint): string {
  const half = BigInt(HALF);
  return `${(lsn / half).toString(16)}/${(lsn % half).toString(16)}`.toUpperCase();
}

/** The segment that holds this byte. */
export function segmentNumberOf(lsn: bigint, segmentBytes: number): number {
  return Number(lsn / BigInt(segmentBytes));
}

function fromHex(digits: string): number {
  return Number.parseInt(digits, 16);
}

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}
