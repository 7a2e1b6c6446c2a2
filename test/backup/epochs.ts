/**
 * Every epoch that the core grants, noted by the database itself as it is granted: what a restore forgets must not
 * be granted again. The notes are part of the backup, so they go on after the restore.
 */
import pg from "pg";

export interface Grant {
  readonly kind: string;
  readonly id: string;
  readonly term: number;
  readonly n: number;
  /** The node that has it, where the row says so. */
  readonly holder: string;
}

/** Where there is a node, a row that comes again with its node repeats no grant: the node said what it holds. */
const TABLES = [
  { table: "regions", kind: "region", id: "region_id", holder: "''" },
  { table: "rooms", kind: "room", id: "room_id", holder: "node_id" },
  { table: "sessions", kind: "session", id: "player_id", holder: "''" },
  { table: "player_owners", kind: "state", id: "player_id", holder: "node_id" },
] as const;
const QUERY_MS = 10_000;

/** @param url of the schema's owner */
export async function noteEpochs(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(
      `create table granted_epochs (
         kind text, id text, term bigint, n bigint, holder text,
         primary key (kind, id, term, n, holder))`,
    );
    for (const { table, kind, id, holder } of TABLES) {
      const value = holder === "''" ? "''" : `new.${holder}`;
      await client.query(`
        create function note_${kind}() returns trigger language plpgsql security definer as $$
        begin
          insert into meridian.granted_epochs
          values ('${kind}', new.${id}::text, new.epoch_term, new.epoch_n, ${value})
          on conflict do nothing;
          return null;
        end $$`);
      await client.query(`create trigger note_epoch after insert or update on ${table}
        for each row execute function note_${kind}()`);
      await client.query(`insert into granted_epochs
        select '${kind}', ${id}::text, epoch_term, epoch_n, ${holder} from ${table}
        -- The trigger may have noted one meanwhile.
        on conflict do nothing`);
    }
  });
}

export async function readGrants(url: string): Promise<Grant[]> {
  let grants: Grant[] = [];
  await withClient(url, async (client) => {
    const select = `select kind, id, term::float8 as term, n::float8 as n, holder
      from granted_epochs`;
    grants = (await client.query<Grant>(select)).rows;
  });
  return grants;
}

/** Epochs that were granted twice, to two holders; empty when all is well. */
export function grantedTwice(lost: readonly Grant[], found: readonly Grant[]): string[] {
  const holders = new Map<string, Set<string>>();
  for (const grant of [...lost, ...found]) {
    const key = `${grant.kind} ${grant.id} [${grant.term}, ${grant.n}]`;
    holders.set(key, (holders.get(key) ?? new Set()).add(grant.holder));
  }
  return [...holders].filter(([, of]) => of.size > 1).map(([key, of]) => `${key}: ${[...of]}`);
}

/**
 * Grants since the restore that are not above all that were made before it.
 * @param kept what the restored database had
 */
export function notAbove(
  term: number,
  { lost, kept, found }: Record<"lost" | "kept" | "found", readonly Grant[]>,
): string[] {
  const known = new Set([...lost, ...kept].map((grant) => JSON.stringify(grant)));
  const fresh = found.filter((grant) => !known.has(JSON.stringify(grant)));
  return fresh.filter((grant) => grant.term < term).map((grant) => JSON.stringify(grant));
}

async function withClient(url: string, task: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    query_timeout: QUERY_MS,
    options: "-c search_path=meridian",
  });
  await client.connect();
  try {
    await task(client);
  } finally {
    await client.end();
  }
}
