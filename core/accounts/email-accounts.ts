/**
 * Accounts with an e-mail address and a password. Who may try one, and whether it is right, is for
 * `password-checks.ts`.
 *
 * Passwords are hashed before a transaction begins, never in one: a connection is not held meanwhile,
 * and what was checked before is checked again under the player's lock.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { EmailLogInAnswer, LinkEmailAnswer } from "../../shared/protocol/emails.ts";
import type { Connections, Tx } from "../db/database.ts";
import * as players from "./account-store.ts";
import { type Accounts, goneAccount } from "./accounts.ts";
import { requireNotBanned } from "./ban.ts";
import type { BarredIdentities } from "./barred-identities.ts";
import type { DeviceTokens } from "./device-tokens.ts";
import * as store from "./email-store.ts";
import type { KnownPrefixes } from "./known-prefixes.ts";
import type { LogIns, Named } from "./log-ins.ts";
import { type From, type PasswordChecks, wrongPassword } from "./password-checks.ts";
import type { Passwords } from "./passwords.ts";
import { deleteResets } from "./reset-store.ts";

export interface EmailAccountsDeps {
  /** Those for log-ins. */
  readonly database: Connections;
  readonly accounts: Accounts;
  readonly logIns: LogIns;
  readonly checks: PasswordChecks;
  readonly passwords: Passwords;
  readonly devices: DeviceTokens;
  readonly prefixes: KnownPrefixes;
  readonly barred: BarredIdentities;
  readonly clock: Clock;
}

interface Credentials {
  readonly email: string;
  readonly password: string;
}

interface Begun {
  readonly player: Named;
  readonly refreshToken: string;
}

export class EmailAccounts {
  readonly #deps: EmailAccountsDeps;

  constructor(deps: EmailAccountsDeps) {
    this.#deps = deps;
  }

  /** @throws {MeridianError} `conflict` when the address is taken, `banned` when it is barred */
  async register(
    { email, password }: Credentials,
    { name, ...from }: From & { readonly name?: string | undefined },
  ): Promise<EmailLogInAnswer> {
    const { database, accounts, checks, passwords } = this.#deps;
    const begun = await checks.free(email, from.address, async () => {
      const hash = await passwords.hash(password, "usual");
      return await database.transaction(async (tx) => {
        const player = await accounts.create(tx, name);
        await this.#insert(tx, player.id, email, hash);
        return { player, refreshToken: await this.begin(tx, player.id, from) };
      });
    });
    return await this.answer("email_registered", begun);
  }

  /** @throws {MeridianError} `unauthorized` alike for a wrong address and a wrong password, `banned` */
  async logIn({ email, password }: Credentials, from: From): Promise<EmailLogInAnswer> {
    const { database, checks, passwords } = this.#deps;
    const row = await checks.prove(email, password, from);
    const former = row.password_hash;
    const next = passwords.outdated(former) ? await passwords.hash(password, "urgent") : undefined;
    const begun = await database.transaction(async (tx) => {
      const player = await this.hold(tx, row.player_id);
      if ((await store.selectPasswordHash(tx, player.id)) !== former) throw wrongPassword();
      if (next) await store.updateHash(tx, player.id, former, next);
      return { player, refreshToken: await this.begin(tx, player.id, from) };
    });
    return await this.answer("email_logged_in", begun);
  }

  /** One more way in for a player; nothing else changes. @throws {MeridianError} `conflict`, `banned` */
  async link(
    playerId: PlayerId,
    { email, password }: Credentials,
    address: string,
  ): Promise<LinkEmailAnswer> {
    const { database, accounts, checks, devices, passwords, clock, logIns, prefixes } = this.#deps;
    await checks.free(email, address, async () => {
      const hash = await passwords.hash(password, "usual");
      await database.transaction(async (tx) => {
        const player = await this.hold(tx, playerId);
        await this.#insert(tx, player.id, email, hash);
        await prefixes.remember(tx, player.id, address, new Date(clock.nowMs()));
      });
    });
    logIns.note("email_linked");
    const deviceToken = devices.mint(playerId, clock.nowMs());
    return { ...(await accounts.me(playerId)), deviceToken };
  }

  /**
   * Ends every other log-in of the player, and the secret that the account may have had as a guest.
   * @throws {MeridianError} `unauthorized` when the present password is wrong or there is none
   */
  async changePassword(
    playerId: PlayerId,
    change: { readonly password: string; readonly newPassword: string },
    from: From,
  ): Promise<EmailLogInAnswer> {
    const { database, checks, passwords } = this.#deps;
    const row = await checks.proveOf(playerId, change.password, from.address);
    const next = await passwords.hash(change.newPassword, "urgent");
    const begun = await database.transaction(async (tx) => {
      const player = await this.hold(tx, playerId);
      const refreshToken = await this.#replace(tx, row, next, from);
      return { player, refreshToken };
    });
    return await this.answer("password_changed", begun);
  }

  /** As `changePassword`, for someone whom a mail has let in; the player's row is held. */
  async resetPassword(tx: Tx, player: Named, next: string, from: From): Promise<Begun> {
    const former = await store.selectPasswordHash(tx, player.id);
    if (former === undefined) throw goneAccount();
    const row = { player_id: player.id, password_hash: former };
    return { player, refreshToken: await this.#replace(tx, row, next, from) };
  }

  /** With the player's row held: a log-in from there, which is known from now on. */
  async begin(tx: Tx, playerId: PlayerId, from: From): Promise<string> {
    const { prefixes, logIns, clock } = this.#deps;
    await prefixes.remember(tx, playerId, from.address, new Date(clock.nowMs()));
    return await logIns.begin(tx, playerId, from.device);
  }

  async answer(outcome: string, { player, refreshToken }: Begun): Promise<EmailLogInAnswer> {
    const { logIns, devices, clock } = this.#deps;
    logIns.note(outcome);
    const pair = await logIns.pair(player, refreshToken);
    return { ...pair, deviceToken: devices.mint(player.id, clock.nowMs()) };
  }

  /** The new password, and nobody logged in or on the way in by mail but who set it. */
  async #replace(
    tx: Tx,
    row: Pick<store.EmailRow, "player_id" | "password_hash">,
    next: string,
    from: From,
  ): Promise<string> {
    const { logIns, clock } = this.#deps;
    const { player_id: playerId, password_hash: former } = row;
    const changedAt = new Date(clock.nowMs());
    const changed = await store.updatePassword(tx, { playerId, former, next, changedAt });
    if (!changed) throw wrongPassword();
    await logIns.endAll(tx, playerId);
    await players.deleteGuestSecret(tx, playerId);
    await deleteResets(tx, playerId);
    return await this.begin(tx, playerId, from);
  }

  /** The player's row, held. @throws {MeridianError} `unauthorized` when it is gone, `banned` */
  async hold(tx: Tx, playerId: PlayerId): Promise<Named> {
    const player = await players.lockPlayer(tx, playerId);
    if (!player) throw goneAccount();
    requireNotBanned(player, this.#deps.clock.nowMs());
    return player;
  }

  /** @throws {MeridianError} `conflict`, `banned` */
  async #insert(tx: Tx, playerId: PlayerId, address: string, hash: string): Promise<void> {
    const createdAt = new Date(this.#deps.clock.nowMs());
    const email = { playerId, address, passwordHash: hash, createdAt };
    if (!(await store.insertEmail(tx, email))) {
      throw new MeridianError("conflict", {
        message: "This address has an account, or this account has an address already.",
      });
    }
    // Only now: the insertion may have waited for the deletion of a banned account.
    await this.#deps.barred.requireOpen(tx, address);
  }
}
