/**
 * The players of a campaign: bots, each with a home region, whose connections are watched. A player
 * insists on its home as long as that is open, so that every fault meets a region with players in it
 * and leaves others untouched, whatever the ranking thinks of regions that are all on one machine.
 */
import { BotPlayer } from "../../loadtest/bots/bot-player.ts";
import { Random } from "../../region/rooms/random.ts";
import type { Connection } from "../../shared/client/connection.ts";
import { systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";

/** There are few of them, and all wait for the last. */
const AGAIN = { firstMs: 250, mostMs: 1_000 };
/** Likewise: their throws are low, so that of the client's waits, too, they draw short ones. */
export const HIGHEST_THROW = 0.3;

export interface WatchedPlayersOptions {
  /** The core's. */
  readonly url: string;
  readonly regionIds: readonly RegionId[];
  readonly perRegion: number;
  readonly seed: number;
}

export class WatchedPlayer {
  readonly name: string;
  readonly home: RegionId;
  readonly bot: BotPlayer;
  readonly #seen = new Set<Connection["phase"]>();

  constructor(home: RegionId, name: string, bot: (player: WatchedPlayer) => BotPlayer) {
    this.home = home;
    this.name = name;
    this.bot = bot(this);
  }

  /** Where it plays; undefined when it does not. */
  get regionId(): string | undefined {
    const { connection } = this.bot;
    return connection.phase === "playing" ? connection.regionId : undefined;
  }

  /** Phases of its connection since `forget`. */
  get seen(): ReadonlySet<Connection["phase"]> {
    return this.#seen;
  }

  note({ phase }: Connection): void {
    this.#seen.add(phase);
  }

  forget(): void {
    this.#seen.clear();
  }
}

export class WatchedPlayers {
  readonly all: readonly WatchedPlayer[];
  /** Regions that nobody insists on now. */
  readonly closed = new Set<RegionId>();

  constructor({ url, regionIds, perRegion, seed }: WatchedPlayersOptions) {
    const seeds = Random.fromSeed(seed);
    this.all = regionIds.flatMap((home) =>
      Array.from({ length: perRegion }, (_, index) => {
        const dice = Random.fromSeed(seeds.next());
        return this.#newPlayer(
          url,
          home,
          `${home} ${index + 1}`,
          () => HIGHEST_THROW * dice.float(),
        );
      }),
    );
  }

  get oneOfEachRegion(): WatchedPlayer[] {
    const homes = [...new Set(this.all.map(({ home }) => home))];
    return homes.flatMap((home) => this.all.find((player) => player.home === home) ?? []);
  }

  /** They play until the signal; resolves when all have left. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.all.map(({ bot }) => bot.run(signal)));
  }

  /** Those who play there. */
  in(regionId: RegionId): WatchedPlayer[] {
    return this.all.filter((player) => player.regionId === regionId);
  }

  #newPlayer(url: string, home: RegionId, name: string, random: () => number): WatchedPlayer {
    return new WatchedPlayer(home, name, (player) => {
      return new BotPlayer({
        url,
        name,
        clock: systemClock,
        random,
        again: AGAIN,
        observer: { connection: (connection) => player.note(connection) },
        region: () => (this.closed.has(home) ? undefined : home),
      });
    });
  }
}
