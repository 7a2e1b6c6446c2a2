/**
 * The audit log: every action of an operator, what became of it, and every attempt that was refused.
 *
 * What is one transaction has one row, written in it: it is done and recorded, or neither (`once`). What is
 * more than that has a row before, `begun`, and one after, which tells how it went (`around`); what could not be
 * recorded is not begun. Either is there before the operator has an answer.
 *
 * The rows are a chain of hashes that the database makes. Who can change the whole table can make it anew, so its
 * head is logged now and then: a log that went elsewhere tells it from another (`npm run ops -- audit --verify
 * --expect HASH`).
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import {
  AUDIT_PAGE_MAX,
  type AuditOutcome,
  type AuditQuery,
  type AuditRow,
} from "../../shared/protocol/audit.ts";
import type { Database } from "../db/database.ts";
import type { Recording } from "../db/recording.ts";
import * as store from "./audit-store.ts";
import type { Operator } from "./operator.ts";

const HEAD_PERIOD_MS = 600_000;
const REASON_MAX = 300;
/** Anybody who reaches the port can be refused: more of it than this is counted, and told with the next row. */
const REFUSED_PER_PERIOD_MAX = 60;
const REFUSED_PERIOD_MS = 60_000;

export interface AuditedAction {
  readonly operator: Operator;
  readonly action: string;
  /** A region, a node, a player. */
  readonly subject: string;
  /** Its arguments. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly dryRun?: boolean;
}

export interface AuditLogDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class AuditLog implements Part {
  readonly name = "audit log";
  readonly #deps: AuditLogDeps;
  readonly #unrecorded: Counter;
  #cancel: Cancel = () => {};
  #loggedPlace = 0;
  #logging: Promise<void> | undefined;
  #refused = { sinceMs: Number.NEGATIVE_INFINITY, rows: 0, left: 0 };

  constructor(deps: AuditLogDeps) {
    this.#deps = deps;
    this.#unrecorded = new Counter({
      name: "meridian_audit_unrecorded_total",
      help: "Refused calls of operators that have no row: too many of them, or the database was away.",
      registers: [deps.metrics],
    });
  }

  async start(): Promise<void> {
    await this.#logHead();
    this.#cancel = this.#deps.clock.every(HEAD_PERIOD_MS, () => {
      this.#logging ??= this.#logHead()
        .catch((err: unknown) => {
          this.#deps.log.warn(
            { err, runbook: "core-operators" },
            "can't read the audit log's head",
          );
        })
        .finally(() => {
          this.#logging = undefined;
        });
    });
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#logging;
  }

  /**
   * @param work one transaction that calls `record` as its last statement
   * @throws what it throws, which is recorded as well
   */
  async once<T>(action: AuditedAction, work: (record: Recording) => Promise<T>): Promise<T> {
    return await this.#failing(action, () =>
      work((tx) => store.insertAudit(tx, this.#row(action, "done"))),
    );
  }

  /**
   * @param work what may be done in part when it fails
   * @param outcome what is worth a word of what it answers
   * @throws what it throws, which is recorded as well
   */
  async around<T>(
    action: AuditedAction,
    work: () => Promise<T>,
    outcome: (answer: T) => Readonly<Record<string, unknown>> = () => ({}),
  ): Promise<T> {
    await store.insertAudit(this.#deps.database, this.#row(action, "begun"));
    const answer = await this.#failing(action, work);
    const details = { ...action.details, ...outcome(answer) };
    await store.insertAudit(this.#deps.database, this.#row({ ...action, details }, "done"));
    return answer;
  }

  /** What changes nothing. */
  async note(action: AuditedAction): Promise<void> {
    await store.insertAudit(this.#deps.database, this.#row(action, "done"));
  }

  /** What went on after its operator had an answer. Never rejects: it is done by now. */
  async later(action: AuditedAction, outcome: "done" | "failed"): Promise<void> {
    const { database, log } = this.#deps;
    try {
      await store.insertAudit(database, this.#row(action, outcome));
    } catch (err) {
      const about = { err, action: action.action, outcome, runbook: "core-operators" };
      log.error(about, "the end of an action could not be recorded");
    }
  }

  /** Never rejects: whoever is refused is so whatever becomes of the row. */
  async refused(
    operator: Operator | undefined,
    { action, subject, reason }: { action: string; subject: string; reason: string },
  ): Promise<void> {
    const { clock, database, log } = this.#deps;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#refused.sinceMs >= REFUSED_PERIOD_MS) {
      this.#refused = { ...this.#refused, sinceMs: nowMs, rows: 0 };
    }
    if (this.#refused.rows >= REFUSED_PER_PERIOD_MAX) {
      this.#refused.left += 1;
      this.#unrecorded.inc();
      return;
    }
    const { left } = this.#refused;
    this.#refused = { ...this.#refused, rows: this.#refused.rows + 1, left: 0 };
    const details = left === 0 ? {} : { refusedBeforeWithoutRow: left };
    try {
      const row = this.#row({ operator: operator ?? NOBODY, action, subject, details }, "refused");
      const operatorId = operator?.id ?? null;
      await store.insertAudit(database, { ...row, operatorId, reason });
    } catch (err) {
      if (!isFailure(err)) throw err;
      this.#refused.left += left + 1;
      this.#unrecorded.inc();
      log.warn({ err, action, runbook: "core-operators" }, "a refused call could not be recorded");
    }
  }

  /** The oldest first; `AUDIT_PAGE_MAX` at most. */
  page(query: AuditQuery): Promise<AuditRow[]> {
    const { database } = this.#deps;
    if ("last" in query) return store.selectAuditLast(database, query.last);
    return store.selectAuditAfter(database, query.after, AUDIT_PAGE_MAX);
  }

  async #failing<T>(action: AuditedAction, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const reason = (isFailure(error) ? `${error.kind}: ${error.message}` : "internal").slice(
        0,
        REASON_MAX,
      );
      const row = { ...this.#row(action, "failed"), reason };
      await store.insertAudit(this.#deps.database, row).catch((err: unknown) => {
        const { log } = this.#deps;
        const about = { err, action: action.action, reason, runbook: "core-operators" };
        log.error(about, "an action that failed could not be recorded as failed");
      });
      throw error;
    }
  }

  #row(action: AuditedAction, outcome: AuditOutcome): store.NewAuditRow {
    const { operator, details = {}, dryRun = false } = action;
    return {
      at: new Date(this.#deps.clock.nowMs()),
      operatorId: operator.id,
      operatorName: operator.name,
      action: action.action,
      subject: action.subject,
      details,
      dryRun,
      outcome,
      reason: null,
    };
  }

  async #logHead(): Promise<void> {
    const { database, log } = this.#deps;
    const [head] = await store.selectAuditLast(database, 1);
    if (!head || head.place === this.#loggedPlace) return;
    this.#loggedPlace = head.place;
    log.info({ place: head.place, hash: head.hash }, "the audit log's head");
  }
}

const NOBODY: Operator = { id: "", name: "nobody known", role: "viewer" };
