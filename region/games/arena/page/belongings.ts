/** What is the player's own, beyond the room: coins and gems at the core, stats, and whether all is saved. */
import { z } from "zod";
import type { Meridian } from "../../../../shared/client/meridian.ts";
import type { Play } from "../../../../shared/client/play.ts";
import { MeridianError } from "../../../../shared/errors.ts";
import type { ArenaState } from "../arena-state.ts";

const Paid = z.object({ balance: z.number() });
const Stats = z.object({
  rounds: z.number(),
  wins: z.number(),
  banked: z.number(),
  gems: z.number(),
});
type Stats = z.infer<typeof Stats>;

export class Belongings {
  readonly #meridian: Meridian;
  readonly #changed: () => void;
  #play: Play<ArenaState> | undefined;
  #coins: number | undefined;
  #gems = 0;
  #stats: Stats | undefined;

  /** @param changed called when anything of it did */
  constructor(meridian: Meridian, changed: () => void) {
    this.#meridian = meridian;
    this.#changed = changed;
  }

  /** What the core says is owned, as last told; undefined before. */
  get owned(): { readonly coins: number; readonly gems: number } | undefined {
    return this.#coins === undefined ? undefined : { coins: this.#coins, gems: this.#gems };
  }

  get stats(): Stats | undefined {
    return this.#stats;
  }

  /** Whether nothing of what the room keeps of the player could be lost now. */
  get saved(): boolean {
    const { savedRevision = 0, revision = 0 } = this.#play?.saved ?? {};
    return savedRevision >= revision;
  }

  /** From now on it is that stay that tells. */
  follow(play: Play<ArenaState>): void {
    this.#play = play;
    play.onMessage("paid", (payload) => {
      this.#coins = Paid.parse(payload).balance;
      this.#changed();
    });
    play.onMessage("stats", (payload) => {
      this.#stats = Stats.parse(payload);
      this.#changed();
    });
    play.onMessage("gem", () => void this.look());
    play.onSaved(() => this.#changed());
    this.#askForStats();
  }

  /** Asks the core, and the room. */
  async look(): Promise<void> {
    this.#askForStats();
    try {
      const { wallets, items } = await this.#meridian.possessions();
      this.#coins = wallets.find(({ currency }) => currency === "coin")?.balance ?? 0;
      this.#gems = items.filter(({ kind }) => kind === "gem").length;
      this.#changed();
    } catch (error) {
      // What is paid or found next tells.
      if (!(error instanceof MeridianError)) throw error;
    }
  }

  /** Told at the join, nobody would be listening yet. */
  #askForStats(): void {
    this.#play?.send("stats", {}, { keep: true });
  }
}
