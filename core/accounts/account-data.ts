/**
 * What is stored of a player: given out whole, or deleted.
 *
 * A deletion takes everything along but four things. What operators did to the account stays in the
 * audit log, under its id, without name or address: they answer for it. So does the ledger, in which what
 * the account owned is booked out; and which receipts of stores it used, or they would grant once more. A
 * ban that holds stays under a MAC of address and identities until it ends, or deleting an account would be
 * the way out of a ban.
 * Access tokens stay valid for minutes and name a player who is not there: every call refuses them.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { AccountData, Proof } from "../../shared/protocol/account-data.ts";
import type { Database, Tx } from "../db/database.ts";
import { type Recording, unrecorded } from "../db/recording.ts";
import type { Evictions } from "../join/evictions.ts";
import type { Profiles } from "../profiles/profiles.ts";
import { selectPurchasesOf } from "../purchases/purchase-store.ts";
import { selectRefusedOf } from "../sync/refused-store.ts";
import { documentsOf } from "../sync/sync-store.ts";
import { possessionsOf } from "../value/possessions.ts";
import { deletePlayer, lockPlayerToDelete, selectPlayerIdBySecret } from "./account-store.ts";
import { goneAccount } from "./accounts.ts";
import { banOf } from "./ban.ts";
import type { BarredIdentities } from "./barred-identities.ts";
import * as store from "./data-store.ts";
import { type Identities, identityText } from "./identities.ts";
import type { LogIns } from "./log-ins.ts";
import { hashOf } from "./opaque-token.ts";
import type { PasswordChecks } from "./password-checks.ts";

export interface AccountDataDeps {
  readonly database: Database;
  readonly checks: PasswordChecks;
  readonly identities: Identities;
  readonly logIns: LogIns;
  readonly barred: BarredIdentities;
  readonly evictions: Evictions;
  readonly profiles: Pick<Profiles, "forget">;
  readonly clock: Clock;
}

export class AccountsData {
  readonly #deps: AccountDataDeps;

  constructor(deps: AccountDataDeps) {
    this.#deps = deps;
  }

  /**
   * Checks that who calls can log in to that account, not only use a token of it.
   * @param address of the network, for the attempt limits
   * @throws {MeridianError} `unauthorized`, `too_many_requests`
   */
  async requireProof(playerId: PlayerId, proof: Proof, address: string): Promise<void> {
    const { database, checks, identities } = this.#deps;
    if ("password" in proof) {
      await checks.proveOf(playerId, proof.password, address);
      return;
    }
    const proved =
      "secret" in proof
        ? (await selectPlayerIdBySecret(database, hashOf(proof.secret))) === playerId
        : await identities.proves(proof.token, playerId);
    if (proved) return;
    throw new MeridianError("unauthorized", { message: "That does not open this account." });
  }

  /** @throws {MeridianError} `unauthorized` when the account is gone */
  async export(playerId: PlayerId): Promise<AccountData> {
    const { database } = this.#deps;
    return await database.transaction(async (tx) => {
      const account = await store.selectAccount(tx, playerId);
      if (!account) throw goneAccount();
      const identities = await store.selectIdentities(tx, playerId);
      const networks = await store.selectNetworks(tx, playerId);
      const families = await store.selectFamilies(tx, playerId);
      const actions = await store.selectActions(tx, playerId);
      const purchases = await selectPurchasesOf(tx, playerId);
      return {
        ...accountOf(account),
        identities: identities.map(({ issuer, subject, created_at }) => {
          return { issuer, subject, since: created_at.toISOString() };
        }),
        knownNetworks: networks.map(({ seen_at }) => seen_at.toISOString()),
        logIns: families.map(({ device, created_at, expires_at, revoked_at }) => ({
          device,
          lastRefreshedAt: created_at.toISOString(),
          expiresAt: expires_at.toISOString(),
          ended: revoked_at !== null,
        })),
        possessions: await possessionsOf(tx, playerId),
        documents: await documentsOf(tx, playerId),
        refusedChanges: (await selectRefusedOf(tx, playerId)).map(
          ({ item, reason, refused_at }) => {
            return { change: item, reason, at: refused_at.toISOString() };
          },
        ),
        purchases: purchases.map(({ store, transaction_id, product_id, granted_at }) => ({
          store,
          transactionId: transaction_id,
          productId: product_id,
          grantedAt: granted_at.toISOString(),
        })),
        operatorActions: actions.map(({ at, action }) => ({ at: at.toISOString(), action })),
      };
    });
  }

  /** @throws {MeridianError} `unauthorized` when the account is gone */
  async delete(playerId: PlayerId, record: Recording = unrecorded): Promise<void> {
    const { database, evictions, profiles, logIns } = this.#deps;
    await database.transaction(async (tx) => {
      if (!(await lockPlayerToDelete(tx, playerId))) throw goneAccount();
      await this.#keepBan(tx, playerId);
      await evictions.order(tx, playerId, "account_deleted");
      await deletePlayer(tx, playerId);
      await record(tx);
    });
    profiles.forget(playerId);
    evictions.carryOutSoon();
    logIns.note("account_deleted");
  }

  async #keepBan(tx: Tx, playerId: PlayerId): Promise<void> {
    const { barred, clock } = this.#deps;
    const account = await store.selectAccount(tx, playerId);
    const ban = account && banOf(account, clock.nowMs());
    if (!ban) return;
    if (account.address !== null) await barred.bar(tx, account.address, ban);
    for (const { issuer, subject } of await store.selectIdentities(tx, playerId)) {
      await barred.bar(tx, identityText(issuer, subject), ban);
    }
  }
}

function accountOf(row: store.AccountRow) {
  const { address, email_since: since, password_changed_at: changed } = row;
  const email = address !== null && since !== null && changed !== null;
  const banned = row.banned_at !== null && row.ban_reason !== null;
  return {
    playerId: row.id,
    name: row.name,
    createdAt: row.created_at.toISOString(),
    email: email
      ? { address, since: since.toISOString(), passwordChangedAt: changed.toISOString() }
      : null,
    guestSecret: row.guest_secret,
    admissionClass: row.admission_class,
    session: row.session_at && {
      regionId: row.region_id,
      roomId: row.room_id,
      game: row.game,
      updatedAt: row.session_at.toISOString(),
    },
    ban:
      banned && row.banned_at && row.ban_reason !== null
        ? {
            since: row.banned_at.toISOString(),
            endsAt: row.ban_ends_at?.toISOString() ?? null,
            reason: row.ban_reason,
          }
        : null,
  };
}
