/** The demo game: players run, pick up coins and bank them. Rules in `arena-rules.ts`. */
import { z } from "zod";
import { PlayerName } from "../../../shared/protocol/accounts.ts";
import { GameRoom } from "../../rooms/game-room.ts";
import { handler } from "../../rooms/message-handler.ts";
import type { Player } from "../../rooms/player.ts";
import * as rules from "./arena-rules.ts";
import { type ArenaPlayer, ArenaState } from "./arena-state.ts";

const PLAYERS_MAX = 50;

/** Where a player pushes from now on. */
export const MoveMessage = z.object({
  /** Each has a higher number than the one before. */
  input: z.int().positive().max(0xffff_ffff),
  x: z.number().min(-1).max(1),
  y: z.number().min(-1).max(1),
});

/** Shown from now on in this room; the account keeps its own name. */
export const RenameMessage = z.object({ name: PlayerName });

export class Arena extends GameRoom<ArenaState> {
  static override State = ArenaState;

  override maxClients = PLAYERS_MAX;

  override messages = {
    move: handler(MoveMessage, (player, push) => this.#with(player, rules.steer, push)),
    rename: handler(RenameMessage, (player, { name }) => this.#with(player, rules.rename, name)),
  };

  override readonly timers = {
    second: () => this.#second(),
  };

  readonly #chance: rules.Chance = {
    random: () => this.random.float(),
    nextEntityId: () => this.nextEntityId(),
  };

  override onSetup(): void {
    rules.beginRound(this.state, 1);
    this.scheduleEvery("second", 1_000);
  }

  override onEnter(player: Player): void {
    rules.enter(this.state, player.sessionId, player.name, this.#chance);
  }

  override onAway(player: Player): void {
    this.#with(player, rules.drop);
  }

  override onResume(player: Player): void {
    this.#with(player, rules.resume);
  }

  override async onExit(player: Player): Promise<void> {
    const { round, phase } = this.state;
    const score = this.state.players.get(player.sessionId)?.score ?? 0;
    rules.leave(this.state, player.sessionId, this.#chance);
    if (phase === "play") await this.#payOut(player, round, score);
  }

  override onTick(dtMs: number): void {
    rules.tick(this.state, dtMs, this.#chance);
  }

  async #second(): Promise<void> {
    const { state } = this;
    state.secondsLeft -= 1;
    if (state.secondsLeft > 0) return;
    if (state.phase !== "play") {
      rules.beginRound(state, state.round + 1);
      return;
    }
    rules.endRound(state);
    const { round } = state;
    await Promise.all(
      [...this.players.values()].map((player) => {
        const score = state.players.get(player.sessionId)?.score ?? 0;
        return this.#payOut(player, round, score);
      }),
    );
  }

  /** What a player banked in a round is theirs for good: once, whatever becomes of the room. */
  async #payOut(player: Player, round: number, coins: number): Promise<void> {
    if (coins === 0) return;
    const cause = `round-${round}:${player.sessionId}`;
    try {
      const balance = await player.wallet.credit("coin", coins, { cause });
      player.send("paid", { coins, balance });
    } catch (error) {
      player.send("not_paid", { coins });
      throw error;
    }
  }

  #with<Args extends readonly unknown[]>(
    player: Player,
    rule: (player: ArenaPlayer, ...args: Args) => void,
    ...args: Args
  ): void {
    const entity = this.state.players.get(player.sessionId);
    if (entity) rule(entity, ...args);
  }
}
