/**
 * Log-ins, whatever they were made with: an access token (JWT, minutes) authenticates calls, a refresh
 * token (opaque, days, rotated) buys the next pair. All refresh tokens of one log-in are a family.
 *
 * The successor of a refresh token is its MAC under a key of ours: it can be handed out a second time
 * when the first answer was lost, although only hashes are stored.
 *
 * Whatever begins, rotates or ends a player's log-ins holds the player's row first. Without that a
 * rotation that is under way could put its successor in after a revocation, which would miss it.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { type PlayerId, uuidV7 } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { TokenPair } from "../../shared/protocol/accounts.ts";
import type { Database, Tx } from "../db/database.ts";
import { Mac, type RandomBytes } from "../tickets/master-key.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import { lockPlayer } from "./account-store.ts";
import { requireNotBanned } from "./ban.ts";
import { BucketTable, type Rate, waitMs } from "./bucket.ts";
import * as store from "./log-in-store.ts";
import { hashOf, newSecret } from "./opaque-token.ts";
import { decideRefresh, type RefreshOutcome } from "./refresh-step.ts";

/**
 * Rotations of one player, on all devices: each leaves a row for as long as a refresh token lives. A client
 * needs one in minutes.
 */
const ROTATIONS: Rate = { perSecond: 1 / 5, burst: 30 };
const ROTATION_BUCKETS_MAX = 100_000;

export interface LogInsDeps {
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

/** Who is logged in, as far as an answer tells. */
export interface Named {
  readonly id: PlayerId;
  readonly name: string;
}

interface Rotation {
  readonly outcome: RefreshOutcome;
  readonly player?: Named;
  readonly expiresMs?: number;
}

export class LogIns {
  readonly #deps: LogInsDeps;
  readonly #successors: Mac;
  readonly #rotations = new BucketTable(ROTATION_BUCKETS_MAX);
  readonly #outcomes: Counter<"outcome">;

  constructor(deps: LogInsDeps) {
    this.#deps = deps;
    this.#successors = new Mac(deps.master, "refresh-successor");
    this.#outcomes = new Counter({
      name: "meridian_log_ins_total",
      help: "Log-ins by what became of them.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  note(outcome: string): void {
    this.#outcomes.inc({ outcome });
  }

  /** The first refresh token of a new family, for a player who was just made or whose row is held. */
  async begin(tx: Tx, playerId: PlayerId, device: string): Promise<string> {
    const { refreshToken, row } = this.first(playerId, device);
    await store.insertRefreshToken(tx, row);
    return refreshToken;
  }

  /** As `begin`, for who stores the row along with the player. */
  first(
    playerId: PlayerId,
    device: string,
  ): { readonly refreshToken: string; readonly row: store.NewRefreshToken } {
    const { clock, random } = this.#deps;
    const refreshToken = newSecret(random);
    const family = uuidV7(clock.nowMs(), random(10));
    return { refreshToken, row: this.#row(refreshToken, { family, playerId, device }) };
  }

  /** What the client gets. @param leftMs how long the refresh token is valid still */
  async pair(
    player: Named,
    refreshToken: string,
    leftMs = this.#deps.refreshTtlMs,
  ): Promise<TokenPair> {
    return {
      playerId: player.id,
      name: player.name,
      accessToken: await this.#deps.tokens.signAccess(player.id),
      accessExpiresInMs: this.#deps.tokens.accessTtlMs,
      refreshToken,
      refreshExpiresInMs: Math.max(1, Math.round(leftMs)),
    };
  }

  /**
   * The next pair for a refresh token.
   * @throws {MeridianError} `token_reused` (its family is ended), `banned`, `too_many_requests`,
   *   `unauthorized` otherwise
   */
  async refresh(refreshToken: string, device: string): Promise<TokenPair> {
    const successor = this.#successors.of(refreshToken).toString("base64url");
    const { outcome, player, expiresMs } = await this.#rotate(refreshToken, successor, device);
    this.note(`refresh_${outcome}`);
    if (outcome === "reused") {
      // Only after the commit: a throw inside would undo the revocation.
      const { log } = this.#deps;
      log.warn({ playerId: player?.id, runbook: "core-refresh-reuse" }, "refresh token reused");
      throw new MeridianError("token_reused");
    }
    if (outcome === "refused" || !player || expiresMs === undefined) {
      throw new MeridianError("unauthorized", { message: "The refresh token is not valid." });
    }
    return await this.pair(player, successor, expiresMs - this.#deps.clock.nowMs());
  }

  /** Ends the token's family; an unknown token is no error, there is nothing to end. */
  async revoke(refreshToken: string): Promise<void> {
    const { database, clock } = this.#deps;
    await database.transaction(async (tx) => {
      const row = await this.#find(tx, refreshToken);
      if (row) await store.revokeFamily(tx, row.family, new Date(clock.nowMs()));
    });
  }

  /** Ends every log-in of a player whose row is held. */
  async endAll(tx: Tx, playerId: PlayerId): Promise<void> {
    await store.revokeAll(tx, playerId, new Date(this.#deps.clock.nowMs()));
  }

  async #rotate(token: string, successor: string, device: string): Promise<Rotation> {
    const { database, clock, refreshGraceMs } = this.#deps;
    return await database.transaction(async (tx) => {
      const row = await this.#find(tx, token);
      const nowMs = clock.nowMs();
      const outcome = decideRefresh(row && stateOf(row), {
        device,
        nowMs,
        graceMs: refreshGraceMs,
      });
      if (row) requireNotBanned(row.player, nowMs);
      if (!row || outcome === "refused") return { outcome: "refused" };
      const { player } = row;
      if (outcome === "reused") {
        await store.revokeFamily(tx, row.family, new Date(nowMs));
        return { outcome, player };
      }
      if (outcome === "repeat") {
        return { outcome, player, expiresMs: row.successor_expires_at?.getTime() ?? nowMs };
      }
      this.#takeRotation(row.player_id);
      const of = { family: row.family, playerId: row.player_id, device: row.device };
      const next = this.#row(successor, of);
      await store.insertRefreshToken(tx, next);
      await store.markRefreshUsed(tx, hashOf(token), next.hash, new Date(nowMs));
      return { outcome, player, expiresMs: next.expiresAt.getTime() };
    });
  }

  /** @throws {MeridianError} `too_many_requests`, with when to come back */
  #takeRotation(playerId: PlayerId): void {
    const bucket = this.#rotations.at(playerId, ROTATIONS, this.#deps.clock.monotonicMs());
    const retryAfterMs = waitMs(bucket, ROTATIONS);
    if (retryAfterMs > 0) {
      this.note("refresh_limited");
      throw new MeridianError("too_many_requests", { retryAfterMs });
    }
    this.#rotations.set(playerId, { ...bucket, tokens: bucket.tokens - 1 });
  }

  /** The token, read after its player's row was locked. */
  async #find(tx: Tx, token: string) {
    const owner = await store.selectTokenOwner(tx, hashOf(token));
    const player = owner && (await lockPlayer(tx, owner));
    const row = player && (await store.selectRefreshToken(tx, hashOf(token)));
    return row && { ...row, player };
  }

  #row(
    token: string,
    of: { readonly family: string; readonly playerId: PlayerId; readonly device: string },
  ): store.NewRefreshToken {
    const nowMs = this.#deps.clock.nowMs();
    const expiresAt = new Date(nowMs + this.#deps.refreshTtlMs);
    return { hash: hashOf(token), ...of, createdAt: new Date(nowMs), expiresAt };
  }
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
