/**
 * Guests and their log-ins. A guest is known by a secret that we issued; an access token (JWT, minutes)
 * authenticates calls, a refresh token (opaque, days, rotated) buys the next pair.
 *
 * The successor of a refresh token is its MAC under a key of ours: it can be handed out a second time
 * when the first answer was lost, although only hashes are stored.
 */

import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { GuestAnswer, Me, TokenPair } from "../../shared/protocol/accounts.ts";
import type { Database, Sql } from "../db/database.ts";
import { Mac, type RandomBytes } from "../tickets/master-key.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import * as store from "./account-store.ts";
import { hashOf, newSecret } from "./opaque-token.ts";
import { decideRefresh, type RefreshOutcome } from "./refresh-step.ts";

export interface AccountsDeps {
  readonly database: Database;
  readonly tokens: SignedTokens;
  readonly master: Buffer;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly refreshTtlMs: number;
  /** How long the previous refresh token still gives its successor, ms. */
  readonly refreshGraceMs: number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface LogIn {
  readonly device: string;
  readonly name?: string | undefined;
}

interface Rotation {
  readonly outcome: RefreshOutcome;
  readonly player?: store.PlayerRow;
  readonly expiresMs?: number;
}

export class Accounts {
  readonly #deps: AccountsDeps;
  readonly #successors: Mac;
  readonly #logIns: Counter<"outcome">;

  constructor(deps: AccountsDeps) {
    this.#deps = deps;
    this.#successors = new Mac(deps.master, "refresh-successor");
    this.#logIns = new Counter({
      name: "meridian_log_ins_total",
      help: "Log-ins by what became of them.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  /** A new guest, logged in, with the secret that nobody is told again. */
  async createGuest(logIn: LogIn): Promise<GuestAnswer> {
    const { database, random } = this.#deps;
    const secret = newSecret(random);
    const { player, refreshToken } = await database.transaction(async (tx) => {
      const player = await this.#insertPlayer(tx, logIn.name, false);
      await store.insertGuestSecret(tx, player.id, hashOf(secret));
      return { player, refreshToken: await this.#startFamily(tx, player.id, logIn.device) };
    });
    this.#logIns.inc({ outcome: "guest_created" });
    return { ...(await this.#pair(player, refreshToken, this.#deps.refreshTtlMs)), secret };
  }

  /** A player for one stock client that brought no token. Nobody can log in as it again. */
  async createEphemeral(): Promise<PlayerId> {
    const player = await this.#insertPlayer(this.#deps.database, undefined, true);
    this.#logIns.inc({ outcome: "ephemeral_created" });
    return player.id;
  }

  /** @throws {MeridianError} `unauthorized` when no guest has that secret */
  async logInGuest(secret: string, logIn: LogIn): Promise<GuestAnswer> {
    const { database } = this.#deps;
    const known = await store.selectPlayerBySecret(database, hashOf(secret));
    if (!known) {
      this.#logIns.inc({ outcome: "secret_unknown" });
      throw new MeridianError("unauthorized", { message: "No guest has this secret." });
    }
    const renamed = logIn.name && (await store.updateName(database, known.id, logIn.name));
    const refreshToken = await this.#startFamily(database, known.id, logIn.device);
    this.#logIns.inc({ outcome: "guest_logged_in" });
    return await this.#pair(renamed || known, refreshToken, this.#deps.refreshTtlMs);
  }

  /**
   * The next pair for a refresh token.
   * @throws {MeridianError} `token_reused` (its family is ended), `unauthorized` otherwise
   */
  async refresh(refreshToken: string, device: string): Promise<TokenPair> {
    const successor = this.#successors.of(refreshToken).toString("base64url");
    const { outcome, player, expiresMs } = await this.#rotate(refreshToken, successor, device);
    this.#logIns.inc({ outcome: `refresh_${outcome}` });
    if (outcome === "reused") {
      // Only after the commit: a throw inside would undo the revocation.
      const { log } = this.#deps;
      log.warn({ playerId: player?.id, runbook: "core-refresh-reuse" }, "refresh token reused");
      throw new MeridianError("token_reused");
    }
    if (outcome === "refused" || !player || expiresMs === undefined) {
      throw new MeridianError("unauthorized", { message: "The refresh token is not valid." });
    }
    return await this.#pair(player, successor, expiresMs - this.#deps.clock.nowMs());
  }

  /** Ends the token's family; an unknown token is no error, there is nothing to end. */
  async revoke(refreshToken: string): Promise<void> {
    const { database, clock } = this.#deps;
    await database.transaction(async (tx) => {
      const family = await store.lockFamily(tx, hashOf(refreshToken));
      if (family) await store.revokeFamily(tx, family, new Date(clock.nowMs()));
    });
  }

  /** @throws {MeridianError} `unauthorized` when the account is gone */
  async me(playerId: PlayerId): Promise<Me> {
    return meOf(await store.selectPlayer(this.#deps.database, playerId));
  }

  /** @throws {MeridianError} `unauthorized` when the account is gone */
  async rename(playerId: PlayerId, name: string): Promise<Me> {
    return meOf(await store.updateName(this.#deps.database, playerId, name));
  }

  async #insertPlayer(
    sql: Sql,
    name: string | undefined,
    ephemeral: boolean,
  ): Promise<store.PlayerRow> {
    const { clock, random } = this.#deps;
    const nowMs = clock.nowMs();
    const id = PlayerId.parse(uuidV7(nowMs, random(10)));
    const player = { id, name: name ?? `Guest ${1_000 + (random(4).readUInt32BE() % 9_000)}` };
    await store.insertPlayer(sql, { ...player, ephemeral, createdAt: new Date(nowMs) });
    return player;
  }

  async #startFamily(sql: Sql, playerId: PlayerId, device: string): Promise<string> {
    const { clock, random } = this.#deps;
    const token = newSecret(random);
    const family = uuidV7(clock.nowMs(), random(10));
    await this.#insertRefresh(sql, token, { family, playerId, device });
    return token;
  }

  async #insertRefresh(
    sql: Sql,
    token: string,
    of: { readonly family: string; readonly playerId: PlayerId; readonly device: string },
  ): Promise<number> {
    const nowMs = this.#deps.clock.nowMs();
    const expiresMs = nowMs + this.#deps.refreshTtlMs;
    await store.insertRefreshToken(sql, {
      hash: hashOf(token),
      ...of,
      createdAt: new Date(nowMs),
      expiresAt: new Date(expiresMs),
    });
    return expiresMs;
  }

  async #rotate(token: string, successor: string, device: string): Promise<Rotation> {
    const { database, clock, refreshGraceMs } = this.#deps;
    return await database.transaction(async (tx) => {
      const family = await store.lockFamily(tx, hashOf(token));
      const row = family && (await store.selectRefreshToken(tx, hashOf(token)));
      const nowMs = clock.nowMs();
      const outcome = decideRefresh(row ? stateOf(row) : undefined, {
        device,
        nowMs,
        graceMs: refreshGraceMs,
      });
      const player = row && (await store.selectPlayer(tx, row.player_id));
      if (!row || !player || outcome === "refused") return { outcome: "refused" };
      if (outcome === "reused") {
        await store.revokeFamily(tx, row.family, new Date(nowMs));
        return { outcome, player };
      }
      if (outcome === "repeat") {
        return { outcome, player, expiresMs: row.successor_expires_at?.getTime() ?? nowMs };
      }
      const of = { family: row.family, playerId: row.player_id, device: row.device };
      const expiresMs = await this.#insertRefresh(tx, successor, of);
      await store.markRefreshUsed(tx, hashOf(token), hashOf(successor), new Date(nowMs));
      return { outcome, player, expiresMs };
    });
  }

  async #pair(player: store.PlayerRow, refreshToken: string, leftMs: number): Promise<TokenPair> {
    return {
      playerId: player.id,
      name: player.name,
      accessToken: await this.#deps.tokens.signAccess(player.id),
      accessExpiresInMs: this.#deps.tokens.accessTtlMs,
      refreshToken,
      refreshExpiresInMs: Math.max(1, Math.round(leftMs)),
    };
  }
}

function meOf(player: store.PlayerRow | undefined): Me {
  if (!player) throw new MeridianError("unauthorized", { message: "The account is gone." });
  return { playerId: player.id, name: player.name, guest: true };
}

function stateOf(row: store.RefreshRow) {
  return {
    device: row.device,
    expiresMs: row.expires_at.getTime(),
    usedMs: row.used_at?.getTime(),
    revoked: row.revoked_at !== null,
    successorUsed: row.successor_used,
  };
}
