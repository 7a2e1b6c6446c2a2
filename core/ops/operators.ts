/**
 * Operators: tokens with a role, hashed at rest, and the audit of what they do.
 *
 * The active tokens are held in memory and read anew every `RELOAD_MS`, so that operators still see the
 * status while the database is away. Every call is logged with the operator's name; every change is
 * also a row of the audit log, written before the change is made: what could not be recorded is not
 * done.
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
import type { RandomBytes } from "../tickets/master-key.ts";
import * as store from "./operator-store.ts";

const TOKENS_MAX = 1_000;
const RELOAD_MS = 10_000;
const BOOTSTRAP_NAME = "bootstrap";

export interface Operator {
  readonly id: string;
  readonly name: string;
  readonly role: OperatorRole;
}

export interface OperatorsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** An admin's token that is taken in at start unless it is known; a revoked one stays revoked. */
  readonly bootstrapToken: string | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Operators implements Part {
  readonly name = "operators";
  readonly #deps: OperatorsDeps;
  readonly #calls: Counter<"action" | "outcome">;
  #byHash: ReadonlyMap<string, Operator> = new Map();
  #cancel: Cancel = () => {};
  #reloading: Promise<void> | undefined;

  constructor(deps: OperatorsDeps) {
    this.#deps = deps;
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
   * Who calls, if that operator's role may do `action`.
   * @throws {MeridianError} `unauthorized` without a valid token, `forbidden` when the role is too low
   */
  authorise(token: string | undefined, action: string, needed: OperatorRole): Operator {
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
    if (!operator) {
      throw new MeridianError("unauthorized", { message: "An operator's token is needed." });
    }
    throw new MeridianError("forbidden", {
      message: `${action} needs the role ${needed}; ${operator.name} is ${operator.role}.`,
    });
  }

  /** Records what is about to be done. */
  async audit(
    operator: Operator,
    action: string,
    subject: string,
    details: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    await store.insertAudit(this.#deps.database, {
      at: new Date(this.#deps.clock.nowMs()),
      operatorId: operator.id,
      operatorName: operator.name,
      action,
      subject,
      details,
    });
  }

  /** A new token, shown once. */
  async create(name: string, role: OperatorRole): Promise<{ id: string; token: string }> {
    const { database, random } = this.#deps;
    if ((await store.countActiveOperators(database)) >= TOKENS_MAX) {
      throw new MeridianError("too_many_requests", { message: `${TOKENS_MAX} tokens at most.` });
    }
    const token = `mrd_${newSecret(random)}`;
    const row = this.#newRow(token, name, role);
    await store.insertOperator(database, row);
    await this.#reload();
    return { id: row.id, token };
  }

  /** @throws {MeridianError} `not_found` when no active token has that id */
  async revoke(id: string): Promise<void> {
    const now = new Date(this.#deps.clock.nowMs());
    const found = await store.revokeOperator(this.#deps.database, id, now);
    if (!found) throw new MeridianError("not_found", { message: "No active token of that id." });
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

function rank(role: OperatorRole): number {
  return OperatorRole.options.indexOf(role);
}

function keyOf(hash: Buffer): string {
  return hash.toString("base64");
}
