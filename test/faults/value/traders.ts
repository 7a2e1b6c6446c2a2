/** The load of a campaign: players who make operations on money and items, and notes, all the time. */
import { Random } from "../../../region/rooms/random.ts";
import type { RegionId } from "../../../shared/ids.ts";
import { ClientRecords } from "./client-records.ts";
import type { PlayersDiary } from "./diary-audit.ts";
import { Trader } from "./trader.ts";

export interface TradersOptions {
  /** The core's. */
  readonly url: string;
  readonly regionIds: readonly RegionId[];
  readonly perRegion: number;
  readonly seed: number;
  /** Regions that nobody insists on now. */
  readonly closed: ReadonlySet<RegionId>;
}

export class Traders {
  readonly all: readonly Trader[];
  /** What they were told, all together. */
  readonly records = new ClientRecords();

  constructor({ url, regionIds, perRegion, seed, closed }: TradersOptions) {
    const { records } = this;
    const seeds = Random.fromSeed(seed + 1);
    this.all = regionIds.flatMap((home) =>
      Array.from({ length: perRegion }, (_, index) => {
        const dice = Random.fromSeed(seeds.next());
        const region = () => (closed.has(home) ? undefined : home);
        return new Trader({ url, name: `${home}-${index + 1}`, region, dice, records });
      }),
    );
  }

  /** What each of them was told of their diary. */
  get diaries(): PlayersDiary[] {
    return this.all.map(({ diary }) => diary);
  }

  /** A node of that region died at once, with what it had in its memory. */
  nodeKilled(regionId: RegionId): void {
    for (const trader of this.all) trader.nodeKilled(regionId);
  }

  /** They trade until the signal; resolves when all have left. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.all.map((trader) => trader.run(signal)));
  }
}
