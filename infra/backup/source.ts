/** The server that is backed up: what it says of itself, and where its data lies on this machine. */
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { systemIdentifierOf } from "./archive.ts";

export interface Source {
  /** The cluster's folder. */
  readonly data: string;
  readonly facts: SourceFacts;
}

interface SourceFacts {
  readonly systemIdentifier: string;
  readonly postgresMajor: number;
  readonly postgresVersion: string;
  readonly segmentBytes: number;
  readonly database: string;
  readonly superuser: string;
  readonly schemaVersion: number | null;
  readonly coreTerm: number | null;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A checkpoint of a large database, and the wait for the archive. */
const STATEMENT_TIMEOUT_MS = 600_000;
/** A server that lives ends a statement itself. */
const GONE_MARGIN_MS = 5_000;
const NOT_HERE =
  "run this on the database's machine, as root or as the user of PostgreSQL (elsewhere: pg_basebackup)";

const FACTS = `
  select system_identifier::text as "systemIdentifier",
    current_setting('server_version_num')::int / 10000 as "postgresMajor",
    current_setting('server_version') as "postgresVersion",
    pg_size_bytes(current_setting('wal_segment_size'))::int as "segmentBytes",
    current_database() as database,
    (select rolname from pg_roles where oid = 10) as superuser,
    pg_is_in_recovery() as "inRecovery",
    current_setting('archive_mode') as "archiveMode",
    current_setting('archive_command') as "archiveCommand",
    current_setting('port') as port,
    current_setting('data_directory') as "dataDirectory",
    pg_backend_pid() as "backendPid",
    to_regclass('meridian.core_term') is not null as "hasCore"
  from pg_control_system()`;
const OF_CORE = `
  select (select max(version) from meridian.schema_migrations) as "schemaVersion",
    (select term::float8 from meridian.core_term) as "coreTerm"`;

type Row = Omit<SourceFacts, "schemaVersion" | "coreTerm"> & {
  readonly inRecovery: boolean;
  readonly archiveMode: string;
  readonly archiveCommand: string;
  readonly port: string;
  readonly dataDirectory: string;
  readonly backendPid: number;
  readonly hasCore: boolean;
};

/** A session for a backup: that ends with it, should this process die. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "meridian-backup",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + GONE_MARGIN_MS,
    keepAlive: true,
  });
  // A connection that breaks between statements is reported by the next statement.
  client.on("error", () => {});
  await client.connect();
  return client;
}

/**
 * @param given the cluster's folder, where it can't be found out
 * @throws one clear line when the server can't be backed up from here
 */
export async function readSource(client: pg.Client, given?: string): Promise<Source> {
  const { rows } = await client.query<Row>(FACTS);
  const [row] = rows;
  if (!row) throw new Error("the server said nothing of itself");
  if (row.inRecovery) throw new Error("this server is a standby: back up the primary");
  if (row.archiveMode === "off" || row.archiveCommand.startsWith("(")) {
    throw new Error(
      "this server does not archive its log, and a backup is worth nothing without: " +
        "npm run backup -- settings --to DIR prints what to set; npm start takes --backup-dir DIR",
    );
  }
  const data = given ?? dataFolder(row);
  checkFolder(data, row);
  const ofCore = row.hasCore ? (await client.query(OF_CORE)).rows[0] : undefined;
  const { systemIdentifier, postgresMajor, postgresVersion, segmentBytes } = row;
  const { database, superuser } = row;
  return {
    data,
    facts: {
      ...{ systemIdentifier, postgresMajor, postgresVersion, segmentBytes, database, superuser },
      schemaVersion: ofCore?.schemaVersion ?? null,
      coreTerm: ofCore?.coreTerm ?? null,
    },
  };
}

/** A server may call its folder by a name that only it understands; it always works in it. */
function dataFolder({ backendPid, dataDirectory }: Row): string {
  if (process.platform !== "linux") return dataDirectory;
  try {
    return readlinkSync(`/proc/${backendPid}/cwd`);
  } catch (cause) {
    throw new Error(`the folder of the server's data can't be found here: ${NOT_HERE}`, { cause });
  }
}

/** Not that of another server, be it this one's standby. */
function checkFolder(data: string, { systemIdentifier, port }: Row): void {
  let identifier: string;
  let itsPort: string | undefined;
  try {
    identifier = systemIdentifierOf(data);
    itsPort = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[3];
  } catch (cause) {
    throw new Error(`${data} is not readable as a running server's data: ${NOT_HERE}`, { cause });
  }
  if (identifier !== systemIdentifier || itsPort !== port) {
    throw new Error(`${data} is the data of another server: ${NOT_HERE}`);
  }
}
