/** Holds what traders were told against the database of a running world. */
import type { LocalWorld } from "../../infra/local/world.ts";
import { Violation, waitUntil } from "./invariant.ts";
import { type Audit, audit, auditText, isClean } from "./value/audit.ts";
import {
  areDiariesClean,
  auditDiaries,
  type DiaryAudit,
  diaryAuditText,
} from "./value/diary-audit.ts";
import { readDiaries } from "./value/diary-tables.ts";
import { readTables } from "./value/ledger-tables.ts";
import type { Traders } from "./value/traders.ts";

/** What a dead node left in its Redis is sent on by another, which may die at that, too. */
const AT_REST_WITHIN_MS = 45_000;

/** @throws {Violation} when the database is not what players were told of money and items */
export async function auditNow(world: LocalWorld, { records }: Traders): Promise<Audit> {
  // Whatever was told before the look at the database must be in it.
  const { promised, contradictions } = records;
  const found = audit(promised, await readTables(world.databaseUrl));
  if (!isClean(found)) throw new Violation("value", auditText(found));
  if (contradictions.length > 0) throw new Violation("value", contradictions.join("; "));
  return found;
}

/** While the players write. @throws {Violation} when what was saved is lost, or something doubled */
export async function auditDiariesNow(world: LocalWorld, traders: Traders): Promise<DiaryAudit> {
  const found = await lookAtDiaries(world, traders, false);
  if (!areDiariesClean(found)) throw new Violation("saved", diaryAuditText(found));
  return found;
}

/**
 * Once nobody writes any more: waits for what is still on its way.
 * @throws {Violation} as `auditDiariesNow`, and for notes that nothing accounts for
 */
export async function auditDiariesAtRest(world: LocalWorld, traders: Traders): Promise<DiaryAudit> {
  let found = await auditDiariesNow(world, traders);
  await waitUntil({
    invariant: "saved",
    withinMs: AT_REST_WITHIN_MS,
    async wrong() {
      found = await lookAtDiaries(world, traders, true);
      return areDiariesClean(found) ? undefined : diaryAuditText(found);
    },
  });
  return found;
}

async function lookAtDiaries(
  { databaseUrl }: LocalWorld,
  { diaries }: Traders,
  atRest: boolean,
): Promise<DiaryAudit> {
  return auditDiaries(diaries, await readDiaries(databaseUrl), { atRest });
}
