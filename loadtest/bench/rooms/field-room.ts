/** The field as a room of Meridian. */
import { z } from "zod";
import { GameRoom } from "../../../region/rooms/game-room.ts";
import { handler } from "../../../region/rooms/message-handler.ts";
import type { Player } from "../../../region/rooms/player.ts";
import { enter, FieldState, leave, ROOM_SEATS, steer, tick } from "./game.ts";
import { TickWatch } from "./server-child.ts";

const MoveMessage = z.object({
  input: z.int().positive().max(0xffff_ffff),
  facing: z.number(),
});

export class FieldRoom extends GameRoom<FieldState> {
  static override State = FieldState;
  override maxClients = ROOM_SEATS;

  override messages = {
    move: handler(MoveMessage, ({ sessionId }, move) => steer(this.state, sessionId, move)),
  };

  readonly #watch = new TickWatch();

  override onEnter({ sessionId }: Player): void {
    enter(this.state, sessionId);
  }

  override onExit({ sessionId }: Player): void {
    leave(this.state, sessionId);
  }

  override onTick(dtMs: number): void {
    this.#watch.began();
    tick(this.state, dtMs);
  }
}
