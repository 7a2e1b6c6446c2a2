/** A game in which everything that must outlive a node shows in its state. */
import { schema, t } from "@colyseus/schema";
import { GameRoom } from "../../region/rooms/game-room.ts";
import type { Player } from "../../region/rooms/player.ts";

export const TALLY = "tally";

export const TallyState = schema(
  {
    ticks: t.number().default(0),
    /** Timers that fired. */
    rings: t.number().default(0),
    /** By session. */
    scores: t.map("number"),
    resumed: t.number().default(0),
    lot: t.number().default(0),
  },
  "TallyState",
);
export type TallyState = InstanceType<typeof TallyState>;

export class TallyRoom extends GameRoom<TallyState> {
  static override State = TallyState;
  override maxClients = 4;
  override readonly timers = {
    ring: () => {
      this.state.rings += 1;
    },
  };

  override onSetup(): void {
    this.scheduleEvery("ring", 200);
  }

  override onEnter(player: Player): void {
    this.state.scores.set(player.sessionId, 7);
  }

  override onResume(): void {
    this.state.resumed += 1;
  }

  override onTick(): void {
    this.state.ticks = this.tick;
    this.state.lot = this.random.next();
  }
}
