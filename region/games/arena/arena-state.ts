/** What every player in the arena sees. Nothing of the game is kept anywhere else. */
import { type SchemaType, schema, t } from "@colyseus/schema";

export const ArenaPlayer = schema(
  {
    name: t.string(),
    /** Degrees on the colour wheel. */
    hue: t.uint16(),
    x: t.float32(),
    y: t.float32(),
    /** Where they push, at most as long as 1. */
    directionX: t.float32().default(0),
    directionY: t.float32().default(0),
    /** Radians; stays when they stop. */
    facing: t.float32().default(0),
    carried: t.uint8().default(0),
    /** What they banked this round. */
    score: t.uint16().default(0),
    /** What of it is theirs for good. */
    paid: t.uint16().default(0),
    /** False while their connection is lost and their seat kept. */
    connected: t.boolean().default(true),
    /** Number of the last input that was applied: their page predicts from there. */
    lastInput: t.uint32().default(0),
  },
  "ArenaPlayer",
);
export type ArenaPlayer = SchemaType<typeof ArenaPlayer>;

export const Coin = schema(
  {
    x: t.uint16(),
    y: t.uint16(),
    worth: t.uint8(),
  },
  "Coin",
);
export type Coin = SchemaType<typeof Coin>;

/** What is theirs for good who picks it up. */
export const Gem = schema(
  {
    x: t.uint16(),
    y: t.uint16(),
    /** The session of whoever picked it up, while the core decides; empty while it lies there. */
    taker: t.string().default(""),
  },
  "Gem",
);
export type Gem = SchemaType<typeof Gem>;

/** Of an item for coins, to one player. */
export const Offer = schema(
  {
    /** An entity's, which is the cause of the trade. */
    id: t.string(),
    to: t.string(),
    itemId: t.string(),
    price: t.uint32(),
  },
  "Offer",
);
export type Offer = SchemaType<typeof Offer>;

export const ArenaState = schema(
  {
    phase: t.string().default("play"),
    round: t.uint16().default(1),
    /** Until the phase ends. */
    secondsLeft: t.uint8().default(0),
    /** By session. */
    players: t.map(ArenaPlayer),
    /** By entity id, which is never used again. */
    coins: t.map(Coin),
    /** By entity id; they stay over the rounds. */
    gems: t.map(Gem),
    /** By the session of whom it is from. */
    offers: t.map(Offer),
    /** The worth of all coins that came up this round: lying, carried, set aside or banked. */
    minted: t.uint32().default(0),
    banked: t.uint32().default(0),
    /** What players carried whose connection did not come back: they may have it again this round. */
    setAside: t.uint32().default(0),
  },
  "ArenaState",
);
export type ArenaState = SchemaType<typeof ArenaState>;
