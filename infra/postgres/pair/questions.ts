/** What the manager asks its servers, one function a question; each on a connection of its own. */
import pg from "pg";
import type { Serving } from "./pair-step.ts";

const ASK_MS = 2_000;
/** A checkpoint of what was written since the last one, and the end of a recovery. */
const PATIENT_MS = 60_000;

/** Its own commits never wait: it asks while the standby may be gone. */
const OPTIONS = "-c synchronous_commit=local";

export async function withClient<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
  deadlineMs = ASK_MS,
): Promise<T> {
  const client = new pg.Client({
    connectionString,
    application_name: "meridian-pair",
    connectionTimeoutMillis: Math.min(deadlineMs, ASK_MS),
    query_timeout: deadlineMs,
    options: OPTIONS,
  });
  // A connection that breaks while idle reports here; the work's own failure is what counts.
  client.on("error", () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => {
      // It never connected, or is closed already.
    });
  }
}

interface LookRow {
  readonly recovers: boolean;
  readonly waits: boolean;
  readonly wal: string | null;
  readonly flushed: string | null;
  readonly sync_state: string | null;
  readonly wal_status: string | null;
  readonly timeline: string | null;
}

export type Answered =
  | { readonly is: "recovering" }
  | ({ readonly is: "serving"; readonly timeline: number } & Serving);

/** The standby is one that streams: one that is handed the log of before is not there yet. */
const LOOK = `
  select pg_is_in_recovery() as recovers,
    current_setting('synchronous_standby_names') <> '' as waits,
    case when pg_is_in_recovery() then null
      else (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text end as wal,
    case when pg_is_in_recovery() then null
      else left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) end as timeline,
    r.flushed::text, r.sync_state,
    (select wal_status from pg_replication_slots where slot_name = $2)
  from (select true) one
  left join (
    select flush_lsn - '0/0'::pg_lsn as flushed, sync_state from pg_stat_replication
    where application_name = $1 and state = 'streaming' and flush_lsn is not null
    order by flush_lsn desc limit 1
  ) r on true`;

export async function look(
  url: string,
  { standby, slot }: { readonly standby: string; readonly slot: string },
): Promise<Answered> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<LookRow>(LOOK, [standby, slot]);
    const [row] = rows;
    if (!row) throw new Error("the server's answer is empty");
    if (row.recovers || row.wal === null) return { is: "recovering" };
    const { flushed, sync_state } = row;
    return {
      is: "serving",
      timeline: Number.parseInt(row.timeline ?? "0", 16),
      waits: row.waits,
      walBytes: Number(row.wal),
      standby:
        flushed === null
          ? undefined
          : { isSync: sync_state === "sync", flushedBytes: Number(flushed) },
      slotLost: row.wal_status === null || row.wal_status === "lost",
    };
  });
}

export interface StandbyLook {
  readonly receivedBytes: number;
  readonly replayedBytes: number;
  readonly timeline: number;
}

/** @throws when it is no standby, or does not answer */
export async function lookAtStandby(url: string): Promise<StandbyLook> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<{ received: string; replayed: string; timeline: number }>(
      `select (coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'::pg_lsn)::text as received,
         (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::text as replayed,
         (select timeline_id from pg_control_checkpoint()) as timeline
       where pg_is_in_recovery()`,
    );
    const [row] = rows;
    if (!row) throw new Error("it is no standby");
    return {
      receivedBytes: Number(row.received),
      replayedBytes: Number(row.replayed),
      timeline: row.timeline,
    };
  });
}

/** @param standby its application name; undefined: nobody is waited for */
export async function setWaits(url: string, standby: string | undefined): Promise<void> {
  await withClient(url, async (client) => {
    const names = standby === undefined ? "" : `FIRST 1 (${standby})`;
    await client.query(`alter system set synchronous_standby_names = ${pg.escapeLiteral(names)}`);
    await client.query("select pg_reload_conf()");
  });
}

/**
 * The process that tells the others whether commits wait is the checkpointer: it reads its settings before it does
 * what it is asked for, so a checkpoint that was asked for after the standby's own process knew comes after it.
 * @returns the log's end after that
 */
export async function settle(url: string): Promise<number> {
  const ask = async (client: pg.Client) => {
    await client.query("checkpoint");
    const { rows } = await client.query<{ wal: string }>(
      "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text as wal",
    );
    return Number(rows[0]?.wal);
  };
  return await withClient(url, ask, PATIENT_MS);
}

/** @throws when it did not become a primary */
export async function promote(url: string): Promise<void> {
  const ask = async (client: pg.Client) => {
    const { rows } = await client.query<{ done: boolean }>(
      "select not pg_is_in_recovery() or pg_promote(true, 60) as done",
    );
    if (rows[0]?.done !== true) throw new Error("it did not become a primary within 60 s");
  };
  await withClient(url, ask, PATIENT_MS + ASK_MS);
}

/** Makes the login that standbys connect with, or gives it this password. */
export async function ensureReplicationLogin(
  url: string,
  { name, password }: { readonly name: string; readonly password: string },
): Promise<void> {
  await withClient(url, async (client) => {
    const login = pg.escapeIdentifier(name);
    const { rowCount } = await client.query("select from pg_roles where rolname = $1", [name]);
    if (rowCount === 0) await client.query(`create role ${login} replication login`);
    await client.query(`alter role ${login} password ${pg.escapeLiteral(password)}`);
  });
}
