/**
 * Operators: tokens with a role, hashed at rest, and the audit of what they do.
 *
 * The active tokens are held in memory and read anew every `RELOAD_MS`, so that operators still see the
 * status while the database is away. Every call is logged with the operator's name; every change, and every
 * call that is refused, is also a row of the audit log (`audit-log.ts`).
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { uuidV7 } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { OperatorRole } from "../../shared/protocol/ops.ts";
import { hashOf, newSecret } from "../accounts/opaque-token.ts";
import type { Database } from "../db/database.ts";
import type { Recording } from "../db/recording.ts";
import type { RandomBytes } from "../tickets/master-key.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Operator } from "./operator.ts";
import * as store from "./operator-store.ts";

const TOKENS_MAX = 1_000;
const RELOAD_MS = 10_000;
const BOOTSTRAP_NAME = "bootstrap";

export interface OperatorsDeps {
  readonly database: Database;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** An admin's token that is taken in at start unless it is known; a revoked one stays revoked. */
  readonly bootstrapToken: string | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Operators implements Part {
  readonly name = "operators";
  readonly audit: AuditLog;
  readonly #deps: OperatorsDeps;
  readonly #calls: Counter<"action" | "outcome">;
  #byHash: ReadonlyMap<string, Operator> = new Map();
  #cancel: Cancel = () => {};
  #reloading: Promise<void> | undefined;

  constructor(deps: OperatorsDeps) {
    this.#deps = deps;
    this.audit = deps.audit;
    this.#calls = new Counter({
      name: "meridian_ops_calls_total",
      help: "Operators' calls: permitted, or why not.",
      labelNames: ["action", "outcome"],
      registers: [deps.metrics],
    });
  }

  async start(): Promise<void> {
    const { bootstrapToken, clock, database, log } = this.#deps;
    if (bootstrapToken !== undefined) {
      await store.insertOperator(database, this.#newRow(bootstrapToken, BOOTSTRAP_NAME, "admin"));
    }
    await this.#reload();
    this.#cancel = clock.every(RELOAD_MS, () => {
      this.#reloading ??= this.#reload()
        .catch((err: unknown) => {
          log.warn({ err, runbook: "core-operators" }, "can't read operator tokens anew");
        })
        .finally(() => {
          this.#reloading = undefined;
        });
    });
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#reloading;
  }

  /**
   * Who calls, if that operator's role may do `action`. Who may not is recorded.
   * @param subject of the action, for the record
   * @throws {MeridianError} `unauthorized` without a valid token, `forbidden` when the role is too low
   */
  async authorise(
    token: string | undefined,
    action: string,
    needed: OperatorRole,
    subject = "",
  ): Promise<Operator> {
    const operator = token === undefined ? undefined : this.#byHash.get(keyOf(hashOf(token)));
    const allowed = operator && rank(operator.role) >= rank(needed);
    const outcome = !operator ? "unauthorized" : allowed ? "permitted" : "forbidden";
    this.#calls.inc({ action, outcome });
    const about = { action, operator: operator?.name, outcome };
    if (allowed) {
      this.#deps.log.info(about, "operator call");
      return operator;
    }
    this.#deps.log.warn({ ...about, runbook: "core-operators" }, "operator call refused");
    const refusal = refusalOf(operator, action, needed);
    const reason = `${refusal.kind}: ${refusal.message}`;
    await this.audit.refused(operator, { action, subject, reason });
    throw refusal;
  }

  /** A new token, shown once. */
  async create(
    name: string,
    role: OperatorRole,
    record: Recording,
  ): Promise<{ id: string; token: string }> {
    const { database, random } = this.#deps;
    const token = `mrd_${newSecret(random)}`;
    const row = this.#newRow(token, name, role);
    await database.transaction(async (tx) => {
      if ((await store.countActiveOperators(tx)) >= TOKENS_MAX) {
        throw new MeridianError("too_many_requests", { message: `${TOKENS_MAX} tokens at most.` });
      }
      await store.insertOperator(tx, row);
      await record(tx);
    });
    await this.#reload();
    return { id: row.id, token };
  }

  /** @throws {MeridianError} `not_found` when no active token has that id */
  async revoke(id: string, record: Recording): Promise<void> {
    const { database, clock } = this.#deps;
    await database.transaction(async (tx) => {
      const found = await store.revokeOperator(tx, id, new Date(clock.nowMs()));
      if (!found) throw new MeridianError("not_found", { message: "No active token of that id." });
      await record(tx);
    });
    await this.#reload();
  }

  list(): Promise<store.OperatorRow[]> {
    return store.selectOperators(this.#deps.database, TOKENS_MAX);
  }

  async #reload(): Promise<void> {
    const rows = await this.list();
    const active = rows.filter((row) => row.revoked_at === null);
    this.#byHash = new Map(
      active.map(({ id, name, role, token_hash }) => [keyOf(token_hash), { id, name, role }]),
    );
  }

  #newRow(token: string, name: string, role: OperatorRole) {
    const { clock, random } = this.#deps;
    const nowMs = clock.nowMs();
    const id = uuidV7(nowMs, random(10));
    return { id, token_hash: hashOf(token), name, role, created_at: new Date(nowMs) };
  }
}

function refusalOf(
  operator: Operator | undefined,
  action: string,
  needed: OperatorRole,
): MeridianError {
  if (!operator) {
    return new MeridianError("unauthorized", { message: "An operator's token is needed." });
  }
  const message = `${action} needs the role ${needed}; ${operator.name} is ${operator.role}.`;
  return new MeridianError("forbidden", { message });
}

function rank(role: OperatorRole): number {
  return OperatorRole.options.indexOf(role);
}

function keyOf(hash: Buffer): string {
  return hash.toString("base64");
}
