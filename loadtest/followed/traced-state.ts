/** What the traced arena shows beyond the arena: how far the room is, and what of each player is kept where. */
import { type SchemaType, schema, t } from "@colyseus/schema";
import { ArenaState } from "../../region/games/arena/arena-state.ts";

/** Ticks of the room, as numbers; 0 before the first. */
export const Trail = schema(
  {
    /** Given once, when the player entered: whoever was made anew has another one. */
    entityId: t.string(),
    /** When the player's document was written last. */
    docTick: t.uint32().default(0),
    /** Of what was written of it by then nothing can be lost any more. */
    savedTick: t.uint32().default(0),
    /** What the document said when this owner of the room began. */
    loadedTick: t.uint32().default(0),
    /** Coins of this round that are committed. */
    coins: t.uint16().default(0),
  },
  "Trail",
);
export type Trail = SchemaType<typeof Trail>;

export const TracedState = ArenaState.extend(
  {
    /** The room's present one. */
    tick: t.uint32().default(0),
    /** The first one that this owner of the room ran. */
    bornTick: t.uint32().default(0),
    /** By session. */
    trails: t.map(Trail),
  },
  "TracedState",
);
export type TracedState = SchemaType<typeof TracedState>;
