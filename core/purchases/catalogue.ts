/**
 * What products give: a JSON file of product ids and what a player gets for each.
 *
 *     { "coins-100": [{ "kind": "credit", "currency": "coin", "amount": 100 }],
 *       "starter": [{ "kind": "credit", "currency": "coin", "amount": 50 },
 *                   { "kind": "grantItem", "itemKind": "hat" }] }
 */
import { z } from "zod";
import { ProductId } from "../../shared/protocol/purchases.ts";
import { Amount, Currency, ItemKind } from "../../shared/protocol/value.ts";
import { readJson } from "../accounts/trusted-issuers.ts";

const PRODUCTS_MAX = 10_000;
const GAINS_MAX = 64;

const Gain = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("credit"), currency: Currency, amount: Amount }),
  z.strictObject({ kind: z.literal("grantItem"), itemKind: ItemKind }),
]);
export type Gain = z.infer<typeof Gain>;

const File = z
  .record(ProductId, z.array(Gain).min(1).max(GAINS_MAX))
  .refine((products) => Object.keys(products).length <= PRODUCTS_MAX, "too many products");

export type Catalogue = ReadonlyMap<string, readonly Gain[]>;

/** @throws when the file can't be read or has a wrong form */
export function loadCatalogue(path: string): Catalogue {
  const parsed = File.safeParse(readJson(path));
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
  return new Map(Object.entries(parsed.data));
}
