/** What the room of the traced arena tells a player. */
import { z } from "zod";
import { OpId } from "../../shared/protocol/value.ts";

/** A coin is theirs for good: the operation is durable. */
export const CoinMessage = z.object({ id: OpId });
