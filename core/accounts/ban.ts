/** What a ban is, and whether one holds. Pure. */
import { type Ban, MeridianError } from "../../shared/errors.ts";

/** The columns of a player's ban; all null without one. */
export interface BanRow {
  readonly banned_at: Date | null;
  /** Null with a ban: it does not end by itself. */
  readonly ban_ends_at: Date | null;
  readonly ban_reason: string | null;
}

/** The ban that holds at that time. */
export function banOf(row: BanRow, nowMs: number): Ban | undefined {
  const { banned_at, ban_ends_at, ban_reason } = row;
  if (banned_at === null || ban_reason === null) return undefined;
  if (ban_ends_at !== null && ban_ends_at.getTime() <= nowMs) return undefined;
  return { reason: ban_reason, endsAt: ban_ends_at?.toISOString() ?? null };
}

/** @throws {MeridianError} `banned`, with reason and end */
export function requireNotBanned(row: BanRow, nowMs: number): void {
  const ban = banOf(row, nowMs);
  if (ban) throw bannedFor(ban);
}

export function bannedFor(ban: Ban): MeridianError {
  const until = ban.endsAt === null ? "for good" : `until ${ban.endsAt}`;
  return new MeridianError("banned", { message: `Banned ${until}: ${ban.reason}`, ban });
}
