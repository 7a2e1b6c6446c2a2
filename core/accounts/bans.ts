/**
 * Bans: from the moment of the commit the player can't log in, refresh, join, reconnect or renew, and the
 * session under way is ended at its node. The reason is shown to the player; operators' names are
 * in the audit log only.
 */
import type { Clock } from "../../shared/clock.ts";
import { type Ban, MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { Database, Tx } from "../db/database.ts";
import { type Recording, unrecorded } from "../db/recording.ts";
import { openSession } from "../join/eviction-store.ts";
import type { Evictions } from "../join/evictions.ts";
import { lockPlayer } from "./account-store.ts";
import type { LogIns } from "./log-ins.ts";

export interface BansDeps {
  readonly database: Database;
  readonly logIns: LogIns;
  readonly evictions: Evictions;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Whether the player was in a room, and whether its node has been told to end that. */
export type SessionEnd = "none" | "ended" | "pending";

export class Bans {
  readonly #deps: BansDeps;
  readonly #bans: Counter<"what">;

  constructor(deps: BansDeps) {
    this.#deps = deps;
    this.#bans = new Counter({
      name: "meridian_bans_total",
      help: "Players banned and unbanned.",
      labelNames: ["what"],
      registers: [deps.metrics],
    });
  }

  /**
   * Bans, or changes the ban there is.
   * @throws {MeridianError} `not_found`; `bad_request` when the end has passed
   */
  async ban(playerId: PlayerId, ban: Ban, record: Recording = unrecorded): Promise<SessionEnd> {
    const { database, logIns, evictions, clock } = this.#deps;
    const now = new Date(clock.nowMs());
    const endsAt = ban.endsAt === null ? null : new Date(ban.endsAt);
    if (endsAt && endsAt <= now) {
      throw new MeridianError("bad_request", { message: "The ban would end in the past." });
    }
    const sessionId = await database.transaction(async (tx) => {
      if (!(await lockPlayer(tx, playerId))) throw noPlayer();
      await updateBan(tx, playerId, { at: now, endsAt, reason: ban.reason });
      await logIns.endAll(tx, playerId);
      const ordered = await evictions.order(tx, playerId, "banned", endsAt ?? "infinity");
      await record(tx);
      return ordered;
    });
    this.#bans.inc({ what: "banned" });
    if (sessionId === undefined) return "none";
    return (await evictions.carryOut(sessionId)) ? "ended" : "pending";
  }

  /** @throws {MeridianError} `not_found` */
  async unban(playerId: PlayerId, record: Recording = unrecorded): Promise<void> {
    await this.#deps.database.transaction(async (tx) => {
      if (!(await lockPlayer(tx, playerId))) throw noPlayer();
      await updateBan(tx, playerId, { at: null, endsAt: null, reason: null });
      await openSession(tx, playerId);
      await record(tx);
    });
    this.#bans.inc({ what: "unbanned" });
  }
}

export function noPlayer(): MeridianError {
  return new MeridianError("not_found", { message: "There is no such player." });
}

async function updateBan(
  tx: Tx,
  playerId: PlayerId,
  ban: { readonly at: Date | null; readonly endsAt: Date | null; readonly reason: string | null },
): Promise<void> {
  await tx.run(
    "update players set banned_at = $2, ban_ends_at = $3, ban_reason = $4 where id = $1",
    [playerId, ban.at, ban.endsAt, ban.reason],
  );
}
