/** The audit log of operators' actions, as a chain of hashes: `GET /ops/audit`. */
import { z } from "zod";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What is before the first row. */
export const AUDIT_ROOT = "0".repeat(64);
export const AUDIT_PAGE_MAX = 500;

/**
 * `begun`: written before it was done. `done`: written with what was done, or after it. `failed`: nothing was
 * done, or only a part. `refused`: the caller had no right to it.
 */
export const AuditOutcome = z.enum(["begun", "done", "failed", "refused"]);
export type AuditOutcome = z.infer<typeof AuditOutcome>;

/** What is hashed of a row. */
export const AuditContent = z.object({
  /** 1 is the first row; none is left out. */
  place: z.number().int().positive(),
  /** Since 1970, µs. */
  atMicros: z.number(),
  /** Null where nobody knows who called. */
  operatorId: z.string().nullable(),
  operator: z.string(),
  action: z.string(),
  subject: z.string(),
  details: z.record(z.string(), z.unknown()),
  dryRun: z.boolean(),
  outcome: AuditOutcome,
  /** Of one that failed or was refused. */
  reason: z.string().nullable(),
});
export type AuditContent = z.infer<typeof AuditContent>;

export const AuditRow = z.object({
  place: z.number().int(),
  /** `AuditContent` as JSON, to the letter as it was hashed. */
  content: z.string(),
  previousHash: sha256,
  /** SHA-256 over the bytes of `previousHash` and `content` in UTF-8. */
  hash: sha256,
});
export type AuditRow = z.infer<typeof AuditRow>;

/** Rows after a place, the oldest first; or the last ones, in the same order. */
export const AuditQuery = z.union([
  z.object({ after: z.coerce.number().int().nonnegative() }),
  z.object({ last: z.coerce.number().int().min(1).max(AUDIT_PAGE_MAX) }),
]);
export type AuditQuery = z.infer<typeof AuditQuery>;

export const AuditAnswer = z.object({ rows: z.array(AuditRow) });
