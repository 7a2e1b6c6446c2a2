/** A game in which nothing happens, 20 times a second: what is left is what Meridian itself takes. */
import { type SchemaType, schema, t } from "@colyseus/schema";
import { GameRoom } from "../../../region/rooms/game-room.ts";

/** As many as in the arena. */
const PLAYERS_MAX = 50;

const IdleState = schema({ phase: t.string().default("idle") }, "IdleState");
type IdleState = SchemaType<typeof IdleState>;

export class IdleRoom extends GameRoom<IdleState> {
  static override State = IdleState;
  override maxClients = PLAYERS_MAX;

  override onTick(): void {
    // Having a tick is the point.
  }
}
