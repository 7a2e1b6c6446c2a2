/** What a player's client may send; anything else never reaches the rules. */
import { z } from "zod";
import { SessionId } from "../../../shared/ids.ts";
import { PlayerName } from "../../../shared/protocol/accounts.ts";
import { ItemId } from "../../../shared/protocol/value.ts";

/** Coins for one item. */
const PRICE_MAX = 1_000_000;

/** Where a player pushes from now on. */
export const MoveMessage = z.object({
  /** Each has a higher number than the one before. */
  input: z.int().positive().max(0xffff_ffff),
  x: z.number().min(-1).max(1),
  y: z.number().min(-1).max(1),
});

/** An item for coins, to somebody in the same bank. */
export const OfferMessage = z.object({
  to: SessionId,
  gem: ItemId,
  price: z.int().min(1).max(PRICE_MAX),
});

/** Asks for one's stats; they come as a message when they change, too. */
export const StatsMessage = z.object({});

/** Takes the offer of that player. */
export const AcceptMessage = z.object({ from: SessionId });

/** Shown from now on in this room; the account keeps its own name. */
export const RenameMessage = z.object({ name: PlayerName });
