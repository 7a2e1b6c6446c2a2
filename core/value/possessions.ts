/** What a player owns. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Possessions } from "../../shared/protocol/value.ts";
import type { Sql } from "../db/database.ts";
import { selectItemsOf, selectWallets } from "./value-store.ts";

/** The first ones by id; more are not listed. */
const ITEMS_MAX = 1_000;

export async function possessionsOf(sql: Sql, playerId: PlayerId): Promise<Possessions> {
  const wallets = await selectWallets(sql, [playerId]);
  return {
    wallets: wallets.map(({ currency, balance }) => ({ currency, balance })),
    items: await selectItemsOf(sql, playerId, ITEMS_MAX),
  };
}
