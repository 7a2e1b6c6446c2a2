/** Purchases, wired as the settings say. */

import type { JwksSourceDeps } from "../accounts/jwks-source.ts";
import type { CoreConfig } from "../config.ts";
import { PurchaseLimit } from "./purchase-limit.ts";
import { Purchases, type PurchasesDeps } from "./purchases.ts";
import { SignedReceipts } from "./signed-receipts.ts";

type Deps = Pick<PurchasesDeps, "database" | "clock" | "log" | "metrics"> &
  Pick<JwksSourceDeps, "fetches" | "outbound">;

export function createPurchases(config: CoreConfig, deps: Deps): Purchases {
  const stores = config.PURCHASE_STORES_FILE;
  return new Purchases({
    ...deps,
    verifiers: stores.map((store) => new SignedReceipts(store, deps)),
    catalogue: config.PURCHASE_CATALOGUE_FILE,
    limit: new PurchaseLimit(
      {
        perSecond: config.PURCHASES_PER_PLAYER_PER_SECOND,
        burst: config.PURCHASES_PER_PLAYER_BURST,
      },
      deps.clock,
    ),
  });
}
