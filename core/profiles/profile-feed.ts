/** The feed of changed profiles of this core process, which heartbeats carry to the regions. */
import type { PlayerId } from "../../shared/ids.ts";
import type { FeedNews, FeedPlace } from "../../shared/protocol/profiles.ts";
import type { RandomBytes } from "../tickets/master-key.ts";
import type { PlayerChange } from "./changes-step.ts";
import { addChanges, type Feed, newFeed, newsAfter } from "./feed-step.ts";
import type { ChangeListener, PlayerChanges } from "./player-changes.ts";

const FEED_ID_BYTES = 12;

export interface ProfileFeedDeps {
  readonly changes: Pick<PlayerChanges, "ageMs">;
  readonly random: RandomBytes;
}

export class ProfileFeed implements ChangeListener {
  readonly #deps: ProfileFeedDeps;
  #feed: Feed;

  constructor(deps: ProfileFeedDeps) {
    this.#deps = deps;
    this.#feed = this.#anew();
  }

  /** Everything up to here can be read in the database. */
  get place(): FeedPlace {
    return this.#feed.place;
  }

  /** What a node that has everything up to that place does not have. */
  news(after: FeedPlace | undefined): FeedNews {
    return newsAfter(this.#feed, after, Math.max(0, this.#deps.changes.ageMs));
  }

  changed(changes: readonly PlayerChange[]): void {
    // Nobody holds anything of a player who was just made.
    const ids = changes.filter(({ made }) => !made).map(({ playerId }): PlayerId => playerId);
    if (ids.length > 0) this.#feed = addChanges(this.#feed, ids);
  }

  missed(): void {
    this.#feed = this.#anew();
  }

  #anew(): Feed {
    return newFeed(this.#deps.random(FEED_ID_BYTES).toString("base64url"));
  }
}
