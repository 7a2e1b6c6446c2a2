/**
 * For the property test: state classes made from plain descriptions, so that two processes make the
 * same ones, and histories of mutations that mean the same on equal states.
 */
import {
  ArraySchema,
  CollectionSchema,
  MapSchema,
  Schema,
  SetSchema,
  schema,
  t,
} from "@colyseus/schema";
import { rawFields, type StateClass } from "./snapshot-schema.ts";

export const PLAIN_TYPES = ["string", "number", "boolean", "uint8", "int32", "float64"] as const;
export type PlainType = (typeof PLAIN_TYPES)[number];
/** A plain type, or a class by its number. */
export type ItemSpec = PlainType | number;

export interface FieldSpec {
  readonly kind: "slot" | "array" | "map" | "set" | "collection";
  readonly item: ItemSpec;
  readonly optional: boolean;
  /** The constructor puts something in. */
  readonly filled: boolean;
}

/** Class 0 is the root. A class refers to, and extends, only classes with higher numbers. */
export interface ClassSpec {
  readonly parent: number | undefined;
  readonly fields: readonly FieldSpec[];
}

/** Chooses an instance, a field of it, what to do and with which value. */
export type Mutation = readonly [number, number, number, number];

interface Field {
  readonly name: string;
  readonly spec: FieldSpec;
}
export interface Classes {
  readonly all: readonly StateClass[];
  readonly fields: ReadonlyMap<unknown, readonly Field[]>;
}

/** Numbers out of range wrap around, so that every description is valid. */
export function makeClasses(specs: readonly ClassSpec[]): Classes {
  const all: StateClass[] = [];
  const fields = new Map<unknown, readonly Field[]>();
  for (let id = specs.length - 1; id >= 0; id--) {
    const spec = specs[id] as ClassSpec;
    const parent = above(spec.parent, id, specs.length);
    const own = spec.fields.map((field, index) => {
      const item =
        typeof field.item === "number" ? above(field.item, id, specs.length) : field.item;
      return { name: `c${id}f${index}`, spec: { ...field, item: item ?? "number" } };
    });
    const builders = Object.fromEntries(own.map((field) => [field.name, builder(field.spec, all)]));
    const base = (parent === undefined ? Schema : all[parent]) as typeof Schema;
    const made = schema(builders as Record<string, ReturnType<typeof t.number>>, `C${id}`, base);
    all[id] = made as unknown as StateClass;
    fields.set(made, [...(fields.get(base) ?? []), ...own]);
  }
  return { all, fields };
}

function above(wanted: number | undefined, id: number, count: number): number | undefined {
  const choices = count - id - 1;
  return wanted === undefined || choices === 0 ? undefined : id + 1 + (wanted % choices);
}

function builder(spec: FieldSpec, all: readonly StateClass[]): unknown {
  const item = typeof spec.item === "number" ? (all[spec.item] as StateClass) : spec.item;
  if (spec.kind === "slot") {
    if (typeof item !== "string") return spec.optional ? t.ref(item).optional() : t.ref(item);
    // Which plain type it is only shows at run time; all of them have the same methods.
    const slot = (t[item] as typeof t.string)();
    if (spec.filled) return slot.default(plainValue(item, 3) as string);
    return spec.optional ? slot.optional() : slot;
  }
  const made = (t[spec.kind] as typeof t.array)(item as "number");
  if (spec.optional) return made.optional();
  if (!spec.filled || typeof item !== "string" || spec.kind !== "array") return made;
  return made.default(() => new ArraySchema(...[1, 2].map((n) => plainValue(item, n))) as never);
}

/** Small, and exact in every encoding, so that clients hold the very same values. */
export function plainValue(type: PlainType, choice: number): string | number | boolean {
  if (type === "string") return `s${choice % 7}é`;
  if (type === "boolean") return choice % 2 === 0;
  if (type === "uint8") return choice % 256;
  return type === "int32" ? (choice % 4001) - 2000 : ((choice % 4001) - 2000) / 4;
}

/** Instances of classes, each once, in the order in which fields and collections hold them. */
export function instancesOf(root: Schema, classes: Classes): Schema[] {
  const found = new Set<Schema>();
  const visit = (instance: Schema) => {
    if (found.has(instance)) return;
    found.add(instance);
    for (const { name, spec } of classes.fields.get(instance.constructor) ?? []) {
      if (typeof spec.item !== "number") continue;
      const value = read(instance, name);
      if (value instanceof Schema) visit(value);
      else if (typeof value === "object") for (const item of itemsOf(value)) visit(item as Schema);
    }
  };
  visit(root);
  return [...found];
}

export function mutate(root: Schema, classes: Classes, mutation: Mutation): void {
  const [which, where, action, choice] = mutation;
  const instances = instancesOf(root, classes);
  const instance = instances[which % instances.length] as Schema;
  const fields = classes.fields.get(instance.constructor) ?? [];
  const field = fields[where % Math.max(1, fields.length)];
  if (!field) return;
  const { name, spec } = field;
  // Colyseus recurses without end when instances hold each other in a circle.
  const shareable = () => {
    return instances.filter((other) => !instancesOf(other, classes).includes(instance));
  };
  const value = () => itemValue(spec.item, shareable, classes, choice);
  const current = read(instance, name);
  const write = (next: unknown) => {
    (instance as unknown as Record<string, unknown>)[name] = next;
  };
  if (spec.kind === "slot") {
    write(action % 5 === 0 ? undefined : value());
  } else if (current === undefined || action % 23 === 0) {
    write(action % 46 === 0 && current !== undefined ? undefined : emptyOf(spec.kind));
  } else if (current instanceof MapSchema) {
    mutateMap(current, action, choice, value);
  } else if (current instanceof ArraySchema) {
    mutateArray(current, action, choice, value);
  } else if (current instanceof SetSchema || current instanceof CollectionSchema) {
    mutateBag(current, action, choice, value);
  }
}

function mutateMap(map: MapSchema, action: number, choice: number, value: () => unknown): void {
  const key = `k${choice % 5}`;
  if (action % 11 === 0) map.clear();
  else if (action % 3 === 0) map.delete(key);
  else map.set(key, value());
}

function mutateArray(
  array: ArraySchema,
  action: number,
  choice: number,
  value: () => unknown,
): void {
  const at = array.length === 0 ? 0 : choice % array.length;
  switch (action % 9) {
    case 0:
      array.splice(at, 1);
      break;
    case 1:
      array.splice(at, 1, value());
      break;
    case 2:
      array.pop();
      break;
    case 3:
      array.shift();
      break;
    case 4:
      array.unshift(value());
      break;
    case 5:
      setItem(array, at, value());
      break;
    case 6:
      if (action % 2 === 0) array.clear();
      else array.splice(at, 0, value());
      break;
    default:
      array.push(value());
  }
}

/** An instance set to where it is already is lost to Colyseus' change tracking, so games must not. */
function setItem(array: ArraySchema, at: number, item: unknown): void {
  if (array.length > 0 && array[at] !== item) array[at] = item;
}

function mutateBag(
  bag: SetSchema | CollectionSchema,
  action: number,
  choice: number,
  value: () => unknown,
): void {
  const items = [...bag.values()];
  if (action % 13 === 0) bag.clear();
  else if (action % 3 === 0 && items.length > 0) bag.delete(items[choice % items.length]);
  else bag.add(value());
}

/** A plain value; a new instance of the class or a subclass; or one that is in the state already. */
function itemValue(
  item: ItemSpec,
  shareable: () => readonly Schema[],
  classes: Classes,
  choice: number,
): unknown {
  if (typeof item !== "number") return plainValue(item, choice);
  const base = classes.all[item] as StateClass;
  if (choice % 3 === 0) {
    const shared = shareable().filter((instance) => instance instanceof base);
    if (shared.length > 0) return shared[choice % shared.length];
  }
  const fitting = classes.all.filter((one) => one === base || one.prototype instanceof base);
  return new (fitting[choice % fitting.length] as StateClass)();
}

function emptyOf(kind: FieldSpec["kind"]): unknown {
  if (kind === "array") return new ArraySchema();
  if (kind === "map") return new MapSchema();
  return kind === "set" ? new SetSchema() : new CollectionSchema();
}

/**
 * What a state looks like through public methods only: values, order, and which places share an
 * instance. `server` shows classes and the order of entries too, which clients know differently.
 */
export function dump(root: Schema, by: "server" | "client"): unknown {
  const numbers = new Map<unknown, number>();
  const show = (instance: Schema): unknown => {
    const known = numbers.get(instance);
    if (known !== undefined) return { same: known };
    numbers.set(instance, numbers.size);
    const klass = instance.constructor as typeof Schema;
    const shown: Record<string, unknown> = by === "server" ? { class: klass.name } : {};
    for (const { name } of rawFields(klass)) {
      const value = read(instance, name);
      if (value === undefined || value === null) continue;
      if (value instanceof Schema) shown[name] = show(value);
      else if (typeof value === "object") shown[name] = showItems(value);
      else shown[name] = value;
    }
    return shown;
  };
  const one = (item: unknown) => (item instanceof Schema ? show(item) : item);
  const showItems = (value: object): unknown => {
    if (value instanceof ArraySchema) return [...value].map(one);
    // By key in a map, by wire index in the others.
    const entries: [string | number, unknown][] = [...(value as MapSchema).entries()];
    if (by === "client") entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.map(([key, item]) => [key, one(item)]);
  };
  return show(root);
}

function itemsOf(value: object): unknown[] {
  return value instanceof ArraySchema
    ? [...value]
    : [...(value as MapSchema | SetSchema | CollectionSchema).values()];
}

function read(instance: Schema, name: string): object | string | number | boolean | undefined {
  return (instance as unknown as Record<string, object | undefined>)[name];
}
