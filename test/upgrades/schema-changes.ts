/**
 * What a migration takes from binaries that do not know it (N−1), by comparing the catalogue before it with the one
 * after it. Pure.
 *
 * - `taken`: something is gone or means something else that N−1 may use;
 * - `required`: rows that N−1 writes are refused;
 * - `blocks`: a table is locked for as long as all its rows take.
 *
 * Not looked into: what functions and triggers do. That is for N−1's own statements, which the mixed world runs.
 */
import type { Catalogue, Column, Constraint } from "./catalogue.ts";

export interface SchemaChange {
  readonly kind: "taken" | "required" | "blocks";
  /** The table that it is about, if it is about one. */
  readonly table: string | undefined;
  readonly text: string;
}

export interface Migrated {
  readonly before: Catalogue;
  readonly after: Catalogue;
  /** Tables in which the migration wrote rows. */
  readonly written: ReadonlySet<string>;
  /** Whether it held its locks to its end: in a transaction. */
  readonly inTransaction: boolean;
}

/** `CHECK ((state = ANY (ARRAY['a'::text, 'b'::text])))`, also of one value alone. */
const ONE_OF = /^CHECK \(\((\(?\w+\)?(?:::text)?) = (?:ANY \(ARRAY\[(.+)\]\)|('[^']*'::text))\)\)$/;
const UNIQUE_KINDS = ["p", "u", "x"];

export function schemaChanges(migrated: Migrated): SchemaChange[] {
  return [
    ...goneTables(migrated),
    ...columnChanges(migrated),
    ...constraintChanges(migrated),
    ...indexChanges(migrated),
    ...goneNames(migrated),
    ...rewrites(migrated),
  ];
}

function goneTables({ before, after }: Migrated): SchemaChange[] {
  return [...before.tables.keys()]
    .filter((table) => kindOf(before, table) !== kindOf(after, table))
    .map((table) => ({ kind: "taken", table, text: `table ${table} is gone` }));
}

function columnChanges({ before, after }: Migrated): SchemaChange[] {
  const changes: SchemaChange[] = [];
  for (const [name, was] of before.columns) {
    const { table } = was;
    if (!after.tables.has(table)) continue;
    const is = after.columns.get(name);
    if (is?.type !== was.type) {
      const text = is ? `column ${name} was ${was.type}, is ${is.type}` : `column ${name} is gone`;
      changes.push({ kind: "taken", table, text });
      continue;
    }
    const required = mustBeSaid(is) && !mustBeSaid(was);
    if (is.notNull && !was.notNull) {
      changes.push({ kind: "required", table, text: `column ${name} is not null from now on` });
      changes.push({ kind: "blocks", table, text: `all rows are read for not null of ${name}` });
    } else if (required) {
      changes.push({ kind: "required", table, text: `column ${name} has no default any more` });
    }
  }
  for (const [name, { table, ...column }] of after.columns) {
    if (before.columns.has(name) || !before.tables.has(table)) continue;
    if (mustBeSaid(column)) {
      const text = `column ${name} is new, not null, and has no default`;
      changes.push({ kind: "required", table, text });
    }
  }
  return changes;
}

function constraintChanges({ before, after }: Migrated): SchemaChange[] {
  const changes: SchemaChange[] = [];
  for (const [name, was] of before.constraints) {
    const { table } = was;
    const is = after.constraints.get(name);
    if (!after.tables.has(table) || is?.definition === was.definition) continue;
    // `on conflict` needs it.
    if (UNIQUE_KINDS.includes(was.kind)) {
      changes.push({ kind: "taken", table, text: `constraint ${name} is gone or another one` });
    }
  }
  for (const [name, is] of after.constraints) {
    const { table } = is;
    const was = before.constraints.get(name);
    if (!before.tables.has(table) || was?.definition === is.definition) continue;
    const ofNew =
      is.columns.length > 0 && is.columns.every((one) => !before.columns.has(`${table}.${one}`));
    if (!ofNew && !(was && isWider(was, is))) {
      changes.push({
        kind: "required",
        table,
        text: `constraint ${name} refuses rows: ${is.definition}`,
      });
    }
    if (is.validated && !ofNew) {
      changes.push({
        kind: "blocks",
        table,
        text: `all rows are checked for ${name}: not valid, and validate it later`,
      });
    }
  }
  return changes;
}

function indexChanges({ before, after, inTransaction }: Migrated): SchemaChange[] {
  const changes: SchemaChange[] = [];
  for (const [name, { table, unique }] of before.indexes) {
    if (unique && after.tables.has(table) && !after.indexes.has(name)) {
      changes.push({ kind: "taken", table, text: `unique index ${name} is gone` });
    }
  }
  for (const [name, { table, unique }] of after.indexes) {
    if (before.indexes.has(name) || !before.tables.has(table)) continue;
    if (unique)
      changes.push({ kind: "required", table, text: `unique index ${name} refuses rows` });
    if (inTransaction) {
      const text = `nobody writes while index ${name} is built: create it concurrently`;
      changes.push({ kind: "blocks", table, text });
    }
  }
  return changes;
}

function goneNames({ before, after }: Migrated): SchemaChange[] {
  const gone = [
    ...changedValues(before.triggers, after.triggers, "trigger"),
    ...changedValues(before.functions, after.functions, "function"),
    ...[...before.enumLabels]
      .filter((one) => !after.enumLabels.has(one))
      .map((one) => `value ${one}`),
    ...[...before.grants].filter((one) => !after.grants.has(one)).map((one) => `grant ${one}`),
  ];
  return gone.map((one) => ({
    kind: "taken",
    table: undefined,
    text: `${one} is gone or another one`,
  }));
}

function rewrites({ before, after, written }: Migrated): SchemaChange[] {
  const changes: SchemaChange[] = [];
  for (const [table, file] of before.tables) {
    const now = after.tables.get(table);
    if (now !== undefined && now !== file) {
      changes.push({ kind: "blocks", table, text: `all rows of ${table} are written anew` });
    } else if (written.has(table)) {
      changes.push({ kind: "blocks", table, text: `rows of ${table} are changed in one go` });
    }
  }
  return changes;
}

/** A value that was not said is refused. */
function mustBeSaid({ notNull, filled }: Pick<Column, "notNull" | "filled">): boolean {
  return notNull && !filled;
}

/** Whether a column may have more values than before. */
function isWider(was: Constraint, is: Constraint): boolean {
  const [former, now] = [was, is].map(({ definition }) => ONE_OF.exec(definition));
  if (!former || !now || former[1] !== now[1]) return false;
  const allowed = valuesOf(now);
  return valuesOf(former).every((value) => allowed.includes(value));
}

function valuesOf([, , many, one]: RegExpExecArray): string[] {
  return many === undefined ? [one ?? ""] : many.split(", ");
}

function changedValues(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  what: string,
): string[] {
  return [...before]
    .filter(([name, value]) => after.get(name) !== value)
    .map(([name]) => `${what} ${name}`);
}

function kindOf({ tables }: Catalogue, table: string): string | undefined {
  return tables.get(table)?.slice(0, 1);
}
