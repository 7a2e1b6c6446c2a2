/** Holds the coins that players were told of against the database. */

import { PlayerId } from "../../shared/ids.ts";
import { OpId } from "../../shared/protocol/value.ts";
import { type Audit, audit } from "../../test/faults/value/audit.ts";
import type { PromisedOp } from "../../test/faults/value/client-records.ts";
import { readTables } from "../../test/faults/value/ledger-tables.ts";
import type { ToldCoin } from "./followed-player.ts";

/** @param databaseUrl of the schema's owner */
export async function auditCoins(coins: readonly ToldCoin[], databaseUrl: string): Promise<Audit> {
  return audit(coins.map(promiseOf), await readTables(databaseUrl));
}

export function promiseOf({ id, playerId }: ToldCoin): PromisedOp {
  const to = PlayerId.parse(playerId);
  const change = { kind: "credit", playerId: to, currency: "coin", amount: 1 } as const;
  return { id: OpId.parse(id), changes: [change], refusal: null };
}
