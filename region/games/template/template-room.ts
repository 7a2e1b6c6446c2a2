/** Connects players with the rules in `template-rules.ts`. */
import { z } from "zod";
import { GameRoom } from "../../rooms/game-room.ts";
import { handler } from "../../rooms/message-handler.ts";
import type { Player } from "../../rooms/player.ts";
import * as rules from "./template-rules.ts";
import { TemplateState } from "./template-state.ts";

/** What a player's client may send; anything else never reaches the game. */
export const CatchMessage = z.object({
  x: z.number().min(0).max(rules.WIDTH),
  y: z.number().min(0).max(rules.HEIGHT),
});

export class TemplateRoom extends GameRoom<TemplateState> {
  static override State = TemplateState;

  override maxClients = 16;

  override messages = {
    catch: handler(CatchMessage, (player, at) => this.#catch(player, at)),
  };

  /** Timers go by name, so that they go on when the room does so elsewhere. */
  override readonly timers = {
    moveStar: () => rules.moveStar(this.state, this.#chance),
  };

  readonly #chance = () => this.random.float();

  override onSetup(): void {
    rules.moveStar(this.state, this.#chance);
    this.scheduleEvery("moveStar", rules.STAR_STAYS_MS);
  }

  override onEnter(player: Player): void {
    rules.enter(this.state, player.sessionId, player.name);
  }

  override onExit(player: Player): void {
    rules.leave(this.state, player.sessionId);
  }

  #catch(player: Player, at: rules.Point): void {
    const caught = rules.catchStar(this.state, player.sessionId, at, this.#chance);
    if (caught) this.broadcast("caught", { by: player.name });
  }
}
