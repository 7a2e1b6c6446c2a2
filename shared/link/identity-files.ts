/**
 * Keeps a process's link identity as its files say, without a restart: they are read every
 * `READ_PERIOD_MS`. Files that do not belong together, as in the middle of a rotation, are reported and
 * change nothing; the next look may find them whole.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../clock.ts";
import type { Part } from "../lifecycle.ts";
import { Counter, Gauge, type Metrics } from "../metrics.ts";
import type { LinkCredentials } from "./credentials.ts";
import type { LinkIdentity } from "./identity.ts";

const READ_PERIOD_MS = 5_000;
const MS_PER_SECOND = 1_000;

export interface IdentityFilesOptions {
  readonly identity: LinkIdentity;
  /** Reads the files. @throws when one can't be read */
  readonly read: () => LinkCredentials;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class IdentityFiles implements Part {
  readonly name = "link identity";
  readonly #options: IdentityFilesOptions;
  readonly #reads: Counter<"outcome">;
  #refused = "";
  #cancel: Cancel = () => {};

  constructor(options: IdentityFilesOptions) {
    const { identity, metrics } = options;
    this.#options = options;
    this.#reads = new Counter({
      name: "meridian_link_identity_changes_total",
      help: "New files of the link's identity: taken into use, or refused.",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    new Gauge({
      name: "meridian_link_certificate_expiry_timestamp_seconds",
      help: "When the link's certificate ends, in seconds since 1970.",
      registers: [metrics],
      collect() {
        this.set(identity.expiresMs / MS_PER_SECOND);
      },
    });
  }

  start(): void {
    this.#cancel = this.#options.clock.every(READ_PERIOD_MS, () => this.look());
  }

  stop(): void {
    this.#cancel();
  }

  /** Takes what the files say now into use, if it is new and whole. */
  look(): void {
    const { identity, read, log } = this.#options;
    try {
      const found = read();
      if (sameCredentials(found, identity.current)) return;
      identity.replace(found);
      this.#refused = "";
      this.#reads.inc({ outcome: "taken" });
      log.info({ expiresMs: identity.expiresMs }, "the link's identity was replaced");
    } catch (err) {
      this.#refuse(err);
    }
  }

  #refuse(err: unknown): void {
    this.#reads.inc({ outcome: "refused" });
    const reason = String(err);
    // Once for each reason: it is tried again every few seconds.
    if (reason === this.#refused) return;
    this.#refused = reason;
    this.#options.log.warn({ err, runbook: "link-identity" }, "the link's new files were refused");
  }
}

function sameCredentials(a: LinkCredentials, b: LinkCredentials): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key;
}
