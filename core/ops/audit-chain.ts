/** Checks the audit log's chain of hashes, row by row, by what whoever reads it can work out alone. Pure. */
import { createHash } from "node:crypto";
import { AUDIT_ROOT, AuditContent, type AuditRow } from "../../shared/protocol/audit.ts";

export interface ChainState {
  /** The last row that was checked. */
  readonly place: number;
  readonly hash: string;
  /** What is looked for in the chain: a head of some time, as it was logged. */
  readonly expected: string | undefined;
  readonly found: boolean;
}

/** The first row that is not as it was written. */
export interface BrokenRow {
  readonly place: number;
  readonly why: string;
}

export function chainStart(expected?: string): ChainState {
  return { place: 0, hash: AUDIT_ROOT, expected, found: expected === AUDIT_ROOT };
}

/** @param rows the next ones, in their order */
export function followChain(
  before: ChainState,
  rows: readonly AuditRow[],
): { readonly state: ChainState; readonly broken: BrokenRow | undefined } {
  let state = before;
  for (const row of rows) {
    const place = state.place + 1;
    const why = whyBroken(state, row, place);
    if (why !== undefined) return { state, broken: { place, why } };
    state = { ...state, place, hash: row.hash, found: state.found || row.hash === state.expected };
  }
  return { state, broken: undefined };
}

/** @returns what is wrong with its end: rows were taken off, or the whole is another */
export function chainEnd({ place, expected, found }: ChainState): BrokenRow | undefined {
  if (expected === undefined || found) return undefined;
  return {
    place: place + 1,
    why: `no row has the hash ${expected}: the end was cut, or all was made anew`,
  };
}

function whyBroken(state: ChainState, row: AuditRow, place: number): string | undefined {
  if (row.place !== place) return "the row is missing";
  if (row.previousHash !== state.hash) return "the row does not follow the one before";
  if (hashOf(row.previousHash, row.content) !== row.hash) return "the row was changed";
  if (contentOf(row).place !== place) return "the row has another's content";
  return undefined;
}

/** @throws when it is no content of a row */
export function contentOf({ content }: AuditRow): AuditContent {
  return AuditContent.parse(JSON.parse(content));
}

function hashOf(previousHash: string, content: string): string {
  return createHash("sha256")
    .update(Buffer.from(previousHash, "hex"))
    .update(content, "utf8")
    .digest("hex");
}
