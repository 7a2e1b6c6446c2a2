/** For test rooms: the profiles of whoever was in, and of those whom the test adds. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Profile } from "../../shared/protocol/profiles.ts";
import { canonicalId, type ProfileService, type SeenProfile } from "./room-profiles.ts";

export class TestProfiles implements ProfileService {
  /** Whether the core answers; when it does not, everybody's profile is stale. */
  up = true;
  readonly #profiles = new Map<PlayerId, Profile>();

  /** Adds a player, or gives one another name. */
  set({
    id,
    name,
    createdAt = new Date(0).toISOString(),
  }: Omit<Profile, "createdAt"> & {
    readonly createdAt?: string;
  }): void {
    this.#profiles.set(id, { id, name, createdAt });
  }

  async get(playerId: PlayerId): Promise<SeenProfile | undefined> {
    const profile = this.#profiles.get(canonicalId(playerId));
    return profile && { ...profile, stale: !this.up };
  }
}
