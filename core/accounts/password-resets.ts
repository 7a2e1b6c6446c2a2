/**
 * A forgotten password: a link by mail, good once and for a short time, lets its reader set a new one.
 *
 * Asking answers the same, at once, whether there is such an account: the look-up, the note and the mail
 * come behind the answer, because a note takes longer than none. Only hashes of tokens are stored. Use of one ends all of the account's, and
 * every log-in: whoever had the old password is out.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { EmailLogInAnswer } from "../../shared/protocol/emails.ts";
import type { Connections } from "../db/database.ts";
import type { Evictions } from "../join/evictions.ts";
import type { RandomBytes } from "../tickets/master-key.ts";
import type { DeviceTokens } from "./device-tokens.ts";
import type { EmailAccounts } from "./email-accounts.ts";
import type { Mail, Mails } from "./mail-hook.ts";
import { hashOf, newSecret } from "./opaque-token.ts";
import type { From } from "./password-checks.ts";
import type { Passwords } from "./passwords.ts";
import { ResetLimit } from "./reset-limit.ts";
import * as store from "./reset-store.ts";

export interface PasswordResetsDeps {
  /** Those for log-ins. */
  readonly database: Connections;
  readonly emails: EmailAccounts;
  readonly passwords: Passwords;
  readonly devices: DeviceTokens;
  readonly mails: Mails;
  readonly evictions: Evictions;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly metrics: Metrics;
  readonly ttlMs: number;
  /** The page that asks for a new password; the token is put into its fragment. */
  readonly pageUrl: string;
}

export class PasswordResets {
  readonly #deps: PasswordResetsDeps;
  readonly #limit = new ResetLimit();
  readonly #asked: Counter<"outcome">;

  constructor(deps: PasswordResetsDeps) {
    this.#deps = deps;
    this.#asked = new Counter({
      name: "meridian_password_resets_total",
      help: "Password resets asked for and carried out, by outcome.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  /** @throws {MeridianError} `too_many_requests`, never because of the e-mail address */
  request(email: string, { deviceToken, address }: Omit<From, "device">): void {
    const { clock, mails, devices } = this.#deps;
    const owner = devices.read(deviceToken, clock.nowMs())?.playerId;
    const whose = this.#limit.take({ email, address, owner }, clock.monotonicMs());
    if (whose === "none") {
      this.#asked.inc({ outcome: "mailed_lately" });
      return;
    }
    const playerId = whose === "the owner's" ? owner : undefined;
    mails.post("password_reset", () => this.#mailTo(email, playerId));
  }

  /** None to an address that has no account, or not that player's. */
  async #mailTo(email: string, playerId: string | undefined): Promise<Mail | undefined> {
    const { database, clock, random, ttlMs, pageUrl } = this.#deps;
    const token = newSecret(random);
    const expiresAt = new Date(clock.nowMs() + ttlMs);
    const reset = { address: email, playerId, tokenHash: hashOf(token), expiresAt };
    const account = await store.insertReset(database, reset);
    this.#asked.inc({ outcome: account ? "mailed" : "unknown_address" });
    if (!account) return undefined;
    const link = new URL(pageUrl);
    // Browsers keep a fragment to themselves: it reaches no server's log and no other site.
    link.hash = new URLSearchParams({ reset: token }).toString();
    return {
      kind: "password_reset",
      to: email,
      name: account.name,
      link: link.href,
      token,
      expiresAt: expiresAt.toISOString(),
    };
  }

  /** @throws {MeridianError} `reset_invalid` when the token is unknown, used or expired; `banned` */
  async confirm(token: string, password: string, from: From): Promise<EmailLogInAnswer> {
    const { database, clock, emails, passwords, evictions } = this.#deps;
    const hash = hashOf(token);
    const now = new Date(clock.nowMs());
    // Before the hashing, which is what an unknown token would cost.
    const playerId = await store.selectReset(database, hash, now);
    if (playerId === undefined) throw this.#invalid();
    const next = await passwords.hash(password, "urgent");
    const begun = await database.transaction(async (tx) => {
      const player = await emails.hold(tx, playerId);
      // Again, now that the player's row is held: another use of it may have come first.
      if ((await store.selectReset(tx, hash, now)) !== playerId) throw this.#invalid();
      const begun = await emails.resetPassword(tx, player, next, from);
      await evictions.order(tx, playerId, "logged_out");
      return begun;
    });
    evictions.carryOutSoon();
    this.#asked.inc({ outcome: "carried_out" });
    return await emails.answer("password_reset", begun);
  }

  #invalid(): MeridianError {
    this.#asked.inc({ outcome: "invalid" });
    return new MeridianError("reset_invalid");
  }
}
