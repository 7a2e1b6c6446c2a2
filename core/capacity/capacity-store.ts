/** Rows of measured limits: one function a statement. */
import type { RegionId } from "../../shared/ids.ts";
import type { Sql } from "../db/database.ts";
import type { CapacityLimit } from "./seat-limits.ts";

export interface CapacityRow {
  readonly id: number;
  readonly region_id: RegionId;
  readonly players_per_node: number;
  readonly build: string;
  readonly measured_at: Date;
  readonly hardware: string;
  readonly service_level: string;
  readonly evidence: string | null;
  readonly stored_at: Date;
  readonly stored_by: string;
}

const COLUMNS =
  "id, region_id, players_per_node, build, measured_at, hardware, service_level, evidence, stored_at, stored_by";

/** The newest of each region, so many of each. */
export async function selectLimits(sql: Sql, perRegion: number): Promise<CapacityLimit[]> {
  const rows = await sql.rows<CapacityRow>(
    `select ${COLUMNS} from (
       select *, row_number() over (partition by region_id order by measured_at desc, id desc) as age
       from capacity_limits) as limits
     where age <= $1`,
    [perRegion],
  );
  return rows.map(limitOf);
}

export async function insertLimit(
  sql: Sql,
  limit: Omit<CapacityLimit, "id">,
): Promise<CapacityLimit> {
  const [row] = await sql.rows<CapacityRow>(
    `insert into capacity_limits (region_id, players_per_node, build, measured_at, hardware, service_level,
       evidence, stored_at, stored_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${COLUMNS}`,
    [
      limit.regionId,
      limit.playersPerNode,
      limit.build,
      new Date(limit.measuredAtMs),
      limit.hardware,
      limit.serviceLevel,
      limit.evidence,
      new Date(limit.storedAtMs),
      limit.storedBy,
    ],
  );
  if (!row) throw new Error("an insert that returns no row");
  return limitOf(row);
}

function limitOf(row: CapacityRow): CapacityLimit {
  return {
    id: row.id,
    regionId: row.region_id,
    playersPerNode: row.players_per_node,
    build: row.build,
    measuredAtMs: row.measured_at.getTime(),
    hardware: row.hardware,
    serviceLevel: row.service_level,
    evidence: row.evidence,
    storedAtMs: row.stored_at.getTime(),
    storedBy: row.stored_by,
  };
}
