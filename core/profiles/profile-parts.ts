/** Everything of profiles, wired. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { CoreConfig } from "../config.ts";
import type { Database } from "../db/database.ts";
import type { RandomBytes } from "../tickets/master-key.ts";
import { KnownIds } from "./known-ids.ts";
import { LookUpLimit } from "./look-up-limit.ts";
import { PlayerChanges } from "./player-changes.ts";
import { ProfileFeed } from "./profile-feed.ts";
import { Profiles } from "./profiles.ts";

export interface ProfilePartsDeps {
  readonly database: Database;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function createProfileParts(config: CoreConfig, deps: ProfilePartsDeps) {
  const { random, clock, metrics } = deps;
  const changes = new PlayerChanges(deps);
  const known = new KnownIds(deps);
  const feed = new ProfileFeed({ changes, random });
  const profiles = new Profiles({ ...deps, changes, known, feed, clock, metrics });
  // What was being read is forgotten before a region can hear that it changed.
  for (const listener of [profiles, known, feed]) changes.listen(listener);
  const lookUpLimit = new LookUpLimit(
    {
      perSecond: config.LOOK_UPS_PER_PLAYER_PER_SECOND,
      burst: config.LOOK_UPS_PER_PLAYER_BURST,
    },
    deps,
  );
  return { profiles, feed, lookUpLimit, parts: [changes, known] };
}
