/**
 * Whose receipts are taken: a JSON file that names each store, whom its receipts are for, where its keys are
 * and which algorithms it signs with.
 *
 *     [{ "store": "web-shop", "issuer": "https://shop.example.org", "audience": "my-game",
 *        "jwksUrl": "https://shop.example.org/jwks.json", "algorithms": ["EdDSA"] }]
 */
import { z } from "zod";
import { StoreName } from "../../shared/protocol/purchases.ts";
import { IssuerEntry, keysOf, readJson, type TrustedIssuer } from "../accounts/trusted-issuers.ts";

const STORES_MAX = 16;

const File = z
  .array(IssuerEntry.safeExtend({ store: StoreName }))
  .max(STORES_MAX)
  .refine((stores) => new Set(stores.map(({ store }) => store)).size === stores.length, {
    message: "names a store twice",
  });

export interface TrustedStore extends TrustedIssuer {
  readonly store: StoreName;
}

/** @throws when the file can't be read or has a wrong form */
export function loadTrustedStores(path: string): readonly TrustedStore[] {
  const parsed = File.safeParse(readJson(path));
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data.map(({ store, issuer, audience, algorithms, ...keys }) => {
    return { store, issuer, audience, algorithms, keys: keysOf(keys, path) };
  });
}
