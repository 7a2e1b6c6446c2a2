/** The operators' command about the audit log: lists it, or checks its chain here, row by row. */
import { AUDIT_PAGE_MAX, AuditAnswer, type AuditRow } from "../../shared/protocol/audit.ts";
import { type BrokenRow, chainEnd, chainStart, contentOf, followChain } from "./audit-chain.ts";
import type { OpsCall } from "./cli-client.ts";
import { counted, iso, table } from "./cli-text.ts";

const LISTED = 50;

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

export interface AuditOptions {
  readonly verify: boolean;
  /** The hash of a head that was logged once: the chain must still hold it. */
  readonly expect: string | undefined;
  readonly json: boolean;
}

export interface AuditShown {
  readonly text: string;
  /** False when the chain is broken. */
  readonly sound: boolean;
}

export async function showAudit(call: Calling, options: AuditOptions): Promise<AuditShown> {
  if (options.verify || options.expect !== undefined) return await verifyAudit(call, options);
  const path = `/ops/audit?last=${LISTED}`;
  const { rows } = await call({ path, answer: AuditAnswer });
  return { text: options.json ? rows.map(jsonOf).join("\n") : auditText(rows), sound: true };
}

async function verifyAudit(call: Calling, { expect, json }: AuditOptions): Promise<AuditShown> {
  let state = chainStart(expect);
  let broken: BrokenRow | undefined;
  for (;;) {
    const path = `/ops/audit?after=${state.place}`;
    const { rows } = await call({ path, answer: AuditAnswer });
    ({ state, broken } = followChain(state, rows));
    if (broken || rows.length < AUDIT_PAGE_MAX) break;
  }
  broken ??= chainEnd(state);
  const sound = broken === undefined;
  const answer = { sound, rows: state.place, head: state.hash, broken: broken ?? null };
  return { text: json ? JSON.stringify(answer) : verdictText(answer), sound };
}

function verdictText(answer: {
  readonly rows: number;
  readonly head: string;
  readonly broken: BrokenRow | null;
}): string {
  const { rows, head, broken } = answer;
  if (!broken) return `the chain is whole: ${counted(rows, "row")}, head ${head}`;
  return `THE CHAIN IS BROKEN at row ${broken.place}: ${broken.why}. ${counted(rows, "row")} before it are whole.`;
}

/** A row a line, for programs. */
function jsonOf(row: AuditRow): string {
  return JSON.stringify({ ...contentOf(row), hash: row.hash });
}

function auditText(rows: readonly AuditRow[]): string {
  const header = ["ROW", "AT", "WHO", "ACTION", "SUBJECT", "OUTCOME", "DETAILS"];
  const cells = rows
    .map(contentOf)
    .map((row) => [
      String(row.place),
      iso(row.atMicros / 1_000),
      row.operator,
      row.action,
      row.subject || "-",
      row.dryRun ? "dry run" : row.outcome,
      row.reason ?? (Object.keys(row.details).length === 0 ? "-" : JSON.stringify(row.details)),
    ]);
  return table([header, ...cells]);
}
