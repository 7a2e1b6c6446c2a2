/** What the database says of players' diaries, all of one moment. */
import pg from "pg";
import { Entries } from "./treasury-messages.ts";

/** A change that came when its player had another owner already. */
export interface RefusedNotes {
  readonly playerId: string;
  /** How many notes it has, and the number of the newest. */
  readonly count: number;
  readonly last: number;
}

export interface DiaryTables {
  /** By player. */
  readonly diaries: ReadonlyMap<string, Entries>;
  readonly refused: readonly RefusedNotes[];
}

const DIARIES = `select player_id as "playerId", fields from player_documents
  where collection = 'diary'`;
const REFUSED = `select player_id as "playerId", (item->'add'->>'count')::int as count,
    (item->'set'->>'last')::int as last
  from refused_changes where collection = 'diary'`;
const STATEMENT_TIMEOUT_MS = 60_000;

/** @param databaseUrl of the schema's owner */
export async function readDiaries(databaseUrl: string): Promise<DiaryTables> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    query_timeout: STATEMENT_TIMEOUT_MS,
    options: "-c search_path=meridian",
  });
  await client.connect();
  try {
    await client.query("begin isolation level repeatable read read only");
    const diaries = await client.query<{ playerId: string; fields: unknown }>(DIARIES);
    const refused = await client.query<RefusedNotes>(REFUSED);
    return {
      diaries: new Map(
        diaries.rows.map(({ playerId, fields }) => [playerId, Entries.parse(fields)]),
      ),
      refused: refused.rows,
    };
  } finally {
    await client.end();
  }
}
