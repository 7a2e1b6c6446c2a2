/**
 * The state's classes as snapshots see them: which there are, under which type ids, with which
 * fields. The hash over all of it tells whether two processes mean the same by the same bytes.
 *
 * Type ids depend on the order in which subclasses were defined, so the hash covers them too: old
 * clients keep the ids of the room's first owner.
 */
import { createHash } from "node:crypto";
import { $numFields, type Metadata, type Schema, TypeContext } from "@colyseus/schema";

/** Its constructor runs without arguments. */
export type StateClass<S extends Schema = Schema> = new () => S;

export type CollectionKind = "array" | "map" | "set" | "collection";

/** What a slot holds: a plain value of a named type, or a reference to an instance of a class. */
export type SlotType = { readonly plain: string } | { readonly class: typeof Schema };

export interface FieldInfo {
  readonly index: number;
  readonly name: string;
  /** Undefined for a slot of its own. */
  readonly collection: CollectionKind | undefined;
  /** Of the field, or of the collection's items. */
  readonly slot: SlotType;
}

export interface TypeInfo {
  readonly id: number;
  readonly class: typeof Schema;
  /** By field index; deprecated fields are left out, for they may not be read. */
  readonly fields: readonly (FieldInfo | undefined)[];
}

export interface StateTypes {
  readonly root: StateClass;
  readonly byId: ReadonlyMap<number, TypeInfo>;
  readonly byClass: ReadonlyMap<unknown, TypeInfo>;
  /** 16 hexadecimal digits. */
  readonly hash: string;
}

const HASH_BYTES = 8;
const known = new WeakMap<StateClass, StateTypes>();

/** The classes reachable from a root state. Subclasses defined after the first call are not seen. */
export function stateTypes(root: StateClass): StateTypes {
  let types = known.get(root);
  if (!types) {
    types = readTypes(root);
    known.set(root, types);
  }
  return types;
}

/** @returns 16 hexadecimal digits, equal where two builds have the same state classes */
export function schemaHash(root: StateClass): string {
  return stateTypes(root).hash;
}

/** Raw definitions by field index, as Colyseus keeps them. */
export function rawFields(klass: typeof Schema): Metadata[number][] {
  const metadata = klass[Symbol.metadata];
  const last = metadata?.[$numFields] ?? -1;
  return Array.from({ length: last + 1 }, (_, index) => metadata[index]).filter(
    (field) => field !== undefined,
  );
}

/** @returns undefined for what is neither a plain type, a class nor a collection of those */
export function fieldInfo(field: Metadata[number]): FieldInfo | undefined {
  const { index, name } = field;
  const type: unknown = field.type;
  const slot = slotType(type);
  if (slot) return { index, name, collection: undefined, slot };
  if (typeof type !== "object" || type === null) return undefined;
  const [kind, items] = Object.entries(type)[0] ?? [];
  const itemSlot = slotType(items);
  const isCollection =
    kind === "array" || kind === "map" || kind === "set" || kind === "collection";
  return isCollection && itemSlot ? { index, name, collection: kind, slot: itemSlot } : undefined;
}

function slotType(type: unknown): SlotType | undefined {
  if (typeof type === "string") return { plain: type };
  if (typeof type === "function") return { class: type as typeof Schema };
  const isQuantized = typeof type === "object" && type !== null && "quantized" in type;
  return isQuantized ? { plain: "quantized" } : undefined;
}

function readTypes(root: StateClass): StateTypes {
  const context = TypeContext.cache(root as typeof Schema);
  const byId = new Map<number, TypeInfo>();
  const byClass = new Map<unknown, TypeInfo>();
  const described: unknown[] = [];
  for (const [klass, id] of context.schemas) {
    const fields: (FieldInfo | undefined)[] = [];
    for (const field of rawFields(klass)) {
      if (!field.deprecated) fields[field.index] = fieldInfo(field);
    }
    const type = { id, class: klass, fields };
    byId.set(id, type);
    byClass.set(klass, type);
    described.push(describe(klass, id, context));
  }
  const digest = createHash("sha256").update(JSON.stringify(described)).digest();
  return { root, byId, byClass, hash: digest.toString("hex", 0, HASH_BYTES) };
}

function describe(klass: typeof Schema, id: number, context: TypeContext): unknown {
  const parent = context.schemas.get(Object.getPrototypeOf(klass));
  const fields = rawFields(klass).map(({ type, ...flags }) => ({
    ...flags,
    type: JSON.stringify(type, (_key, part) => {
      return typeof part === "function" ? { class: context.schemas.get(part) } : part;
    }),
  }));
  return { id, name: klass.name, parent, fields };
}
