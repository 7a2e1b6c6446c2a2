/** What a room may ask about any player, in it or not. */
import { MeridianError } from "../../shared/errors.ts";
import { PlayerId } from "../../shared/ids.ts";
import type { Profile } from "../../shared/protocol/profiles.ts";

export interface SeenProfile extends Profile {
  /** The core is away: it was right at most ten minutes ago. */
  readonly stale: boolean;
}

export interface ProfileService {
  /**
   * At least as new as the last change that this node had heard of when it was asked; undefined when there
   * is no such player.
   * @throws {MeridianError} `unavailable`, `timeout` when it is not known here and the core does not answer
   */
  get(playerId: PlayerId): Promise<SeenProfile | undefined>;
}

/** Of a room that has no core. */
export const noProfiles: ProfileService = {
  async get() {
    throw new MeridianError("unavailable", { message: "There is no core to ask." });
  },
};

/** UUIDs are the same in either case. */
export function canonicalId(id: PlayerId): PlayerId {
  return PlayerId.parse(id.toLowerCase());
}
