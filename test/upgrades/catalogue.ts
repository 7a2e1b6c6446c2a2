/** What a schema is, as PostgreSQL's own catalogue says: read before and after a migration, and compared. */
import type pg from "pg";

export interface Column {
  readonly table: string;
  readonly type: string;
  readonly notNull: boolean;
  /** Whether a row gets a value there that says none. */
  readonly filled: boolean;
}

export interface Constraint {
  readonly table: string;
  /** As in `pg_constraint`: `c` check, `f` foreign key, `p` primary key, `u` unique, `x` exclusion. */
  readonly kind: string;
  readonly columns: readonly string[];
  readonly definition: string;
  readonly validated: boolean;
}

export interface Index {
  readonly table: string;
  readonly unique: boolean;
}

/** By names: `players`, `players.name`, `forget_state()`. */
export interface Catalogue {
  /** To the file of its rows, which is another one once they were written anew. */
  readonly tables: ReadonlyMap<string, string>;
  readonly columns: ReadonlyMap<string, Column>;
  readonly constraints: ReadonlyMap<string, Constraint>;
  /** But those of constraints. */
  readonly indexes: ReadonlyMap<string, Index>;
  readonly triggers: ReadonlyMap<string, string>;
  /** With the types of their arguments; to what they give. */
  readonly functions: ReadonlyMap<string, string>;
  readonly enumLabels: ReadonlySet<string>;
  /** `select on players to meridian_core` */
  readonly grants: ReadonlySet<string>;
}

const OURS = "relnamespace = 'meridian'::regnamespace";

const TABLES = `select relname as name, format('%s %s', relkind, relfilenode) as value
  from pg_class where ${OURS} and relkind in ('r', 'p', 'v', 'm', 'S')`;

const COLUMNS = `select relname || '.' || attname as name, relname as table,
    format_type(atttypid, atttypmod) as type, attnotnull as "notNull",
    atthasdef or attidentity <> '' or attgenerated <> '' as filled
  from pg_attribute join pg_class on pg_class.oid = attrelid
  where ${OURS} and relkind in ('r', 'p', 'v', 'm') and attnum > 0 and not attisdropped`;

/** That a column is not null is told by the column. */
const CONSTRAINTS = `select relname || '.' || conname as name, relname as table, contype as kind,
    array(select attname::text from pg_attribute where attrelid = conrelid and attnum = any(conkey)) as columns,
    pg_get_constraintdef(pg_constraint.oid) as definition, convalidated as validated
  from pg_constraint join pg_class on pg_class.oid = conrelid where ${OURS} and contype <> 'n'`;

const INDEXES = `select index.relname as name, pg_class.relname as table, indisunique as unique
  from pg_index join pg_class index on index.oid = indexrelid join pg_class on pg_class.oid = indrelid
  where pg_class.${OURS} and not exists (select from pg_constraint where conindid = indexrelid)`;

const TRIGGERS = `select relname || '.' || tgname as name, format('%s %s', tgenabled, pg_get_triggerdef(pg_trigger.oid)) as value
  from pg_trigger join pg_class on pg_class.oid = tgrelid where ${OURS} and not tgisinternal`;

const FUNCTIONS = `select format('%s(%s)', proname, pg_get_function_identity_arguments(oid)) as name,
    coalesce(pg_get_function_result(oid), '') as value
  from pg_proc where pronamespace = 'meridian'::regnamespace`;

const ENUMS = `select typname || ' ' || enumlabel as name
  from pg_enum join pg_type on pg_type.oid = enumtypid where typnamespace = 'meridian'::regnamespace`;

const GRANTS = `select format('%s on %s to %s', lower(privilege_type), what, coalesce(rolname, 'public')) as name
  from (
    select relname as what, relacl as acl from pg_class where ${OURS}
    union all select relname || '.' || attname, attacl
      from pg_attribute join pg_class on pg_class.oid = attrelid where ${OURS}
    union all select format('%s(%s)', proname, pg_get_function_identity_arguments(oid)), proacl
      from pg_proc where pronamespace = 'meridian'::regnamespace
    union all select nspname, nspacl from pg_namespace where nspname = 'meridian'
  ) given, aclexplode(acl) left join pg_roles on pg_roles.oid = grantee`;

export async function readCatalogue(client: pg.ClientBase): Promise<Catalogue> {
  const read = async <T>(text: string) => (await client.query<{ name: string } & T>(text)).rows;
  const values = async (text: string) => {
    const rows = await read<{ value: string }>(text);
    return new Map(rows.map(({ name, value }) => [name, value]));
  };
  const records = async <T>(text: string) => {
    return new Map((await read<T>(text)).map((row) => [row.name, row]));
  };
  const names = async (text: string) => new Set((await read(text)).map(({ name }) => name));
  return {
    tables: await values(TABLES),
    columns: await records<Column>(COLUMNS),
    constraints: await records<Constraint>(CONSTRAINTS),
    indexes: await records<Index>(INDEXES),
    triggers: await values(TRIGGERS),
    functions: await values(FUNCTIONS),
    enumLabels: await names(ENUMS),
    grants: await names(GRANTS),
  };
}
