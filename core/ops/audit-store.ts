/** Rows of the audit log: one function a statement. The database hashes them (`migrations/0015_audit.sql`). */
import type { AuditOutcome, AuditRow } from "../../shared/protocol/audit.ts";
import type { Sql } from "../db/database.ts";

export interface NewAuditRow {
  readonly at: Date;
  /** Null where nobody knows who called. */
  readonly operatorId: string | null;
  readonly operatorName: string;
  readonly action: string;
  readonly subject: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  readonly outcome: AuditOutcome;
  readonly reason: string | null;
}

/** All later rows wait until the transaction ends: it comes last in one. */
export async function insertAudit(sql: Sql, row: NewAuditRow): Promise<void> {
  await sql.run(
    `insert into audit_log
       (at, operator_id, operator_name, action, subject, details, dry_run, outcome, reason)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      row.at,
      row.operatorId,
      row.operatorName,
      row.action,
      row.subject,
      row.details,
      row.dryRun,
      row.outcome,
      row.reason,
    ],
  );
}

const COLUMNS = `place, audit_content(a) as content, encode(previous_hash, 'hex') as "previousHash",
  encode(hash, 'hex') as hash`;

export function selectAuditAfter(sql: Sql, place: number, limit: number): Promise<AuditRow[]> {
  return sql.rows<AuditRow>(
    `select ${COLUMNS} from audit_log a where place > $1 order by place limit $2`,
    [place, limit],
  );
}

/** The oldest of them first. */
export async function selectAuditLast(sql: Sql, limit: number): Promise<AuditRow[]> {
  const rows = await sql.rows<AuditRow>(
    `select ${COLUMNS} from audit_log a order by place desc limit $1`,
    [limit],
  );
  return rows.reverse();
}
