/**
 * Players and the ways in that we hand out ourselves: a guest is known by a secret that we issued.
 * Passwords are in `email-accounts.ts`, studios' identities in `identities.ts`.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import type { GuestAnswer, Me, RevokeAllAnswer } from "../../shared/protocol/accounts.ts";
import type { Connections, Database, Sql } from "../db/database.ts";
import type { Evictions } from "../join/evictions.ts";
import type { Profiles } from "../profiles/profiles.ts";
import type { RandomBytes } from "../tickets/master-key.ts";
import * as store from "./account-store.ts";
import { requireNotBanned } from "./ban.ts";
import type { LogIns } from "./log-ins.ts";
import { hashOf, newSecret } from "./opaque-token.ts";

export interface AccountsDeps {
  readonly database: Database;
  /** A share of the database, for log-ins: a storm of those must leave the rest to who plays. */
  readonly forLogIns: Connections;
  readonly logIns: LogIns;
  readonly evictions: Evictions;
  /** Told of names that changed. */
  readonly profiles: Pick<Profiles, "forget">;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

interface LogIn {
  readonly device: string;
  readonly name?: string | undefined;
}

export class Accounts {
  readonly #deps: AccountsDeps;

  constructor(deps: AccountsDeps) {
    this.#deps = deps;
  }

  /** A new guest, logged in, with the secret that nobody is told again. */
  async createGuest(logIn: LogIn): Promise<GuestAnswer> {
    const { forLogIns, random, logIns } = this.#deps;
    const secret = newSecret(random);
    const player = this.#newPlayer(logIn.name, false);
    const first = logIns.first(player.id, logIn.device);
    await store.insertGuest(forLogIns, player, hashOf(secret), first.row);
    const { refreshToken } = first;
    logIns.note("guest_created");
    return { ...(await logIns.pair(player, refreshToken)), secret };
  }

  /** A player for one stock client that brought no token. Nobody can log in as it again. */
  async createEphemeral(): Promise<PlayerId> {
    const player = await this.create(this.#deps.forLogIns, undefined, true);
    this.#deps.logIns.note("ephemeral_created");
    return player.id;
  }

  /** @throws {MeridianError} `unauthorized` when no guest has that secret, `banned` */
  async logInGuest(secret: string, logIn: LogIn): Promise<GuestAnswer> {
    const { forLogIns, logIns, profiles, clock } = this.#deps;
    const { player, refreshToken } = await forLogIns.transaction(async (tx) => {
      const hash = hashOf(secret);
      const found = await store.selectPlayerIdBySecret(tx, hash);
      const known = found && (await store.lockPlayer(tx, found));
      // Again, now that the row is held: the secret may just have been taken away.
      if (!known || (await store.selectPlayerIdBySecret(tx, hash)) !== found) {
        logIns.note("secret_unknown");
        throw new MeridianError("unauthorized", { message: "No guest has this secret." });
      }
      requireNotBanned(known, clock.nowMs());
      if (logIn.name !== undefined) await store.updateName(tx, known.id, logIn.name);
      const player = { id: known.id, name: logIn.name ?? known.name };
      return { player, refreshToken: await logIns.begin(tx, known.id, logIn.device) };
    });
    if (logIn.name !== undefined) profiles.forget(player.id);
    logIns.note("guest_logged_in");
    return await logIns.pair(player, refreshToken);
  }

  /**
   * Ends every log-in of the player and the session in a room. The secret of a guest is taken away if
   * there is another way in; else it is replaced for who shows it, and stays for who does not: an access
   * token that was stolen must not buy one. Access tokens go on for the minutes that they live:
   * they can't buy new ones, and nothing that matters is done without a proof of who one is.
   */
  async logOutEverywhere(playerId: PlayerId, shown?: string): Promise<RevokeAllAnswer> {
    const { database, logIns, evictions, random } = this.#deps;
    const secret = newSecret(random);
    const replaced = await database.transaction(async (tx) => {
      if (!(await store.lockPlayer(tx, playerId))) throw goneAccount();
      const me = await store.selectMe(tx, playerId);
      await logIns.endAll(tx, playerId);
      await evictions.order(tx, playerId, "logged_out");
      const guest = me !== undefined && meOf(me).guest;
      const owner = shown && (await store.selectPlayerIdBySecret(tx, hashOf(shown)));
      if (guest && owner !== playerId) return false;
      const hadSecret = await store.deleteGuestSecret(tx, playerId);
      if (!guest || !hadSecret) return false;
      await store.insertGuestSecret(tx, playerId, hashOf(secret));
      return true;
    });
    evictions.carryOutSoon();
    logIns.note("logged_out_everywhere");
    return replaced ? { ok: true, secret } : { ok: true };
  }

  async exists(playerId: PlayerId): Promise<boolean> {
    return (await store.selectPlayer(this.#deps.database, playerId)) !== undefined;
  }

  /** @throws {MeridianError} `unauthorized` when the account is gone */
  async me(playerId: PlayerId): Promise<Me> {
    const row = await store.selectMe(this.#deps.database, playerId);
    if (!row) throw goneAccount();
    return meOf(row);
  }

  /** @throws {MeridianError} `unauthorized` when the account is gone */
  async rename(playerId: PlayerId, name: string): Promise<Me> {
    await store.updateName(this.#deps.database, playerId, name);
    this.#deps.profiles.forget(playerId);
    return await this.me(playerId);
  }

  /** A new player, under a name of our making if none is given. */
  async create(
    sql: Sql,
    name: string | undefined,
    ephemeral = false,
  ): Promise<{ id: PlayerId; name: string }> {
    const player = this.#newPlayer(name, ephemeral);
    await store.insertPlayer(sql, player);
    return player;
  }

  #newPlayer(name: string | undefined, ephemeral: boolean): store.NewPlayer {
    const { clock, random } = this.#deps;
    const nowMs = clock.nowMs();
    const id = PlayerId.parse(uuidV7(nowMs, random(10)));
    const shown = name ?? `Guest ${1_000 + (random(4).readUInt32BE() % 9_000)}`;
    return { id, name: shown, ephemeral, createdAt: new Date(nowMs) };
  }
}

export function goneAccount(): MeridianError {
  return new MeridianError("unauthorized", { message: "The account is gone." });
}

export function meOf({ id, name, email, identified }: store.MeRow): Me {
  return { playerId: id, name, email, guest: email === null && !identified };
}
