/**
 * Whether one release accepts every body that another writes, by the JSON Schemas of both. Pure.
 *
 * Names that a reader does not know are ignored by it, as its parser does. Where this can't tell (a pattern that was
 * changed), it says so: a person looks.
 */

export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
  readonly prefixItems?: readonly JsonSchema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** All bodies of a release, by the name of their schema. */
export type Bodies = Readonly<Record<string, JsonSchema>>;

const LEAST = ["minLength", "minItems", "minimum", "exclusiveMinimum"] as const;
const MOST = ["maxLength", "maxItems", "maximum", "exclusiveMaximum"] as const;
const DEPTH_MAX = 24;

/** A line for each thing that one of the releases writes and the other refuses. */
export function bodyChanges(previous: Bodies, next: Bodies): string[] {
  return Object.entries(previous).flatMap(([name, was]) => {
    const is = next[name];
    if (!is) return [`${name}: is gone`];
    return [
      ...refusals(was, is).map(
        (text) => `${name}${text}: the new one refuses what the former writes`,
      ),
      ...refusals(is, was).map(
        (text) => `${name}${text}: the former one refuses what the new writes`,
      ),
    ];
  });
}

/** What a writer of the one may write that a reader of the other does not take: `.load.rssBytes may be missing`. */
export function refusals(writer: JsonSchema, reader: JsonSchema): string[] {
  return refused({ schema: writer, root: writer }, { schema: reader, root: reader }, 0);
}

/** A part of a schema, and the whole in which its names are looked up. */
interface Part {
  readonly schema: JsonSchema;
  readonly root: JsonSchema;
}

function refused(from: Part, to: Part, depth: number): string[] {
  // A recursive schema is the same again below.
  if (depth > DEPTH_MAX) return [];
  const writer = resolved(from);
  const reader = resolved(to);
  const alternatives = writer.schema.anyOf ?? writer.schema.oneOf;
  if (alternatives) {
    return unique(
      alternatives.flatMap((schema) => refused({ ...writer, schema }, reader, depth + 1)),
    );
  }
  const allowed = reader.schema.anyOf ?? reader.schema.oneOf;
  if (allowed) return refusedByAll(writer, reader, allowed, depth);
  const all = reader.schema.allOf;
  if (all) return all.flatMap((schema) => refused(writer, { ...reader, schema }, depth + 1));
  const values = refusedValues(writer.schema, reader.schema);
  // What is inside does not matter of another type.
  if (values.length > 0) return values;
  return [...refusedNames(writer, reader, depth), ...refusedItems(writer, reader, depth)];
}

/** By none of them: what is nearest to being taken says why. */
function refusedByAll(
  writer: Part,
  reader: Part,
  allowed: readonly JsonSchema[],
  depth: number,
): string[] {
  const why = allowed.map((schema) => refused(writer, { ...reader, schema }, depth + 1));
  return why.toSorted((a, b) => a.length - b.length)[0] ?? [];
}

function refusedValues(writer: JsonSchema, reader: JsonSchema): string[] {
  const written = valuesOf(writer);
  const read = valuesOf(reader);
  if (read) {
    if (!written) return [" may be anything, and only some values are taken"];
    const more = written.filter((value) => !read.includes(value));
    return more.length > 0 ? [` may be ${more.join(", ")}`] : [];
  }
  const types = typesOf(writer);
  const taken = typesOf(reader);
  if (taken.length > 0 && !(types.length > 0 && types.every((type) => isTaken(type, taken)))) {
    return [` is ${types.join(" or ") || "anything"}, and ${taken.join(" or ")} is taken`];
  }
  // Of values that are told one by one nothing more is asked.
  return written ? [] : narrower(writer, reader);
}

function narrower(writer: JsonSchema, reader: JsonSchema): string[] {
  const problems: string[] = [];
  for (const limit of LEAST) {
    const least = reader[limit];
    if (least !== undefined && !((writer[limit] ?? Number.NEGATIVE_INFINITY) >= least)) {
      problems.push(` may be below ${limit} ${least}`);
    }
  }
  for (const limit of MOST) {
    const most = reader[limit];
    if (most !== undefined && !((writer[limit] ?? Number.POSITIVE_INFINITY) <= most)) {
      problems.push(` may be above ${limit} ${most}`);
    }
  }
  const { pattern } = reader;
  if (pattern !== undefined && writer.pattern !== pattern) problems.push(" has another pattern");
  return problems;
}

function refusedNames(writer: Part, reader: Part, depth: number): string[] {
  const { properties: written = {}, required: said = [], additionalProperties } = writer.schema;
  const { properties: known = {}, required = [], additionalProperties: others } = reader.schema;
  const problems: string[] = [];
  for (const [name, schema] of Object.entries(written)) {
    const to = known[name] ?? others;
    if (to === false) problems.push(`.${name} is not known`);
    else if (typeof to === "object") {
      const below = refused({ ...writer, schema }, { ...reader, schema: to }, depth + 1);
      problems.push(...below.map((text) => `.${name}${text}`));
    }
  }
  // A record: all of its values are alike.
  if (typeof additionalProperties === "object" && typeof others === "object") {
    const from = { ...writer, schema: additionalProperties };
    const below = refused(from, { ...reader, schema: others }, depth + 1);
    problems.push(...below.map((text) => `.*${text}`));
  }
  const { propertyNames: names } = reader.schema;
  if (names) {
    const from = { ...writer, schema: writer.schema.propertyNames ?? { type: "string" } };
    const below = refused(from, { ...reader, schema: names }, depth + 1);
    problems.push(...below.map((text) => ` (names)${text}`));
  }
  const missing = required.filter((name) => !said.includes(name));
  return [...problems, ...missing.map((name) => `.${name} may be missing`)];
}

function refusedItems(writer: Part, reader: Part, depth: number): string[] {
  const { items, prefixItems = [] } = writer.schema;
  const { items: others, prefixItems: known = [] } = reader.schema;
  const pairs: [JsonSchema | undefined, JsonSchema | undefined][] = [
    [items, others],
    ...prefixItems.map((item, index): [JsonSchema, JsonSchema | undefined] => [item, known[index]]),
  ];
  return pairs.flatMap(([from, to]) => {
    if (!from || !to) return [];
    const below = refused({ ...writer, schema: from }, { ...reader, schema: to }, depth + 1);
    return below.map((text) => `[]${text}`);
  });
}

function resolved(part: Part): Part {
  const { $ref } = part.schema;
  if ($ref === undefined) return part;
  if ($ref === "#") return { ...part, schema: part.root };
  const schema = part.root.$defs?.[$ref.replace("#/$defs/", "")];
  if (!schema) throw new Error(`there is no ${$ref}`);
  return resolved({ ...part, schema });
}

function valuesOf(schema: JsonSchema): readonly unknown[] | undefined {
  return "const" in schema ? [schema.const] : schema.enum;
}

function typesOf({ type }: JsonSchema): readonly string[] {
  if (type === undefined) return [];
  return typeof type === "string" ? [type] : type;
}

function isTaken(type: string, taken: readonly string[]): boolean {
  return taken.includes(type) || (type === "integer" && taken.includes("number"));
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
