/** Rows of openings: one function a statement. */
import type { RegionId } from "../../shared/ids.ts";
import type { Sql } from "../db/database.ts";

export interface OpeningRow {
  readonly region_id: RegionId;
  readonly scheduled_at: Date;
  readonly opens_at: Date;
  readonly seed_sealed: Buffer;
  readonly commitment: Buffer;
}

/** The earliest first. */
export function selectOpenings(sql: Sql, since: Date): Promise<OpeningRow[]> {
  return sql.rows<OpeningRow>(
    `select region_id, scheduled_at, opens_at, seed_sealed, commitment from openings
     where opens_at >= $1 order by opens_at, region_id`,
    [since],
  );
}

export async function insertOpening(sql: Sql, row: OpeningRow): Promise<void> {
  await sql.run(
    `insert into openings (region_id, scheduled_at, opens_at, seed_sealed, commitment)
     values ($1, $2, $3, $4, $5)`,
    [row.region_id, row.scheduled_at, row.opens_at, row.seed_sealed, row.commitment],
  );
}

export async function moveOpening(
  sql: Sql,
  {
    region_id,
    scheduled_at,
    opens_at,
  }: Pick<OpeningRow, "region_id" | "scheduled_at" | "opens_at">,
): Promise<void> {
  await sql.run("update openings set opens_at = $3 where region_id = $1 and scheduled_at = $2", [
    region_id,
    scheduled_at,
    opens_at,
  ]);
}
