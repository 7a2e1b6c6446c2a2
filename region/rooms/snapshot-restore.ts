/**
 * Builds a live state from an image. Every instance keeps its reference id and every entry its wire
 * index, so clients of the former owner go on with the decoder they have.
 *
 * The former owner may have given out ids that this image never heard of, in its last moments. A new
 * instance under such an id would be taken for the other by old clients: the counters skip a gap.
 *
 * Constructors run, without arguments, for what is not in the schema (methods bound in fields, caches
 * declared transient); each schema field they set is then overwritten or unset. Whatever does not fit
 * the classes is `snapshot_corrupt`.
 */
import { type ArraySchema, type Encoder, MapSchema, type Schema } from "@colyseus/schema";
import { corrupt, RoomStateError } from "./room-error.ts";
import {
  type Collection,
  fieldValue,
  type Instance,
  newCollection,
  setNextRefId,
  setNextWireIndex,
  setRefId,
} from "./schema-internals.ts";
import type { Value } from "./snapshot-bytes.ts";
import type { StateImage, StateNode } from "./snapshot-image.ts";
import type { CollectionKind, FieldInfo, SlotType, StateTypes } from "./snapshot-schema.ts";

/**
 * Ids that are skipped at a restore. 2^20 new instances between the last frame that arrived and the
 * owner's death would be needed to break it; ids above 65,535 cost 5 bytes on the wire.
 */
export const ID_GAP = 1 << 20;
const ROOT_ID = 0;
const NUMBER_LIKE = new Set([
  "number",
  ...["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"],
  ...["float32", "float64", "quantized"],
]);

type SchemaNode = StateNode & { readonly kind: "schema" };
type CollectionNode = Exclude<StateNode, { kind: "schema" }>;

/**
 * @returns a state that no encoder has seen; give it to one, then call `continueIds`
 * @throws {RoomStateError} `snapshot_corrupt`
 */
export function restoreState(types: StateTypes, image: StateImage): Schema {
  try {
    return new Restoration(types, image).run();
  } catch (error) {
    if (error instanceof RoomStateError) throw error;
    throw corrupt("the state can't be rebuilt", error);
  }
}

/** Makes a restored state's encoder go on where the former owner's was, with nothing left to send. */
export function continueIds(encoder: Encoder, image: StateImage): void {
  setNextRefId(encoder, image.nextRefId + ID_GAP);
  encoder.discardChanges();
}

class Restoration {
  readonly #types: StateTypes;
  readonly #image: StateImage;
  readonly #made = new Map<number, Instance>();
  readonly #unfilled: (() => void)[] = [];

  constructor(types: StateTypes, image: StateImage) {
    this.#types = types;
    this.#image = image;
  }

  run(): Schema {
    const root = this.#schema(ROOT_ID, this.#types.root);
    // A work list, not recursion: a long chain of instances must not exhaust the stack.
    for (let fill = this.#unfilled.pop(); fill; fill = this.#unfilled.pop()) fill();
    return root;
  }

  #schema(refId: Value, expected: unknown): Schema {
    const [id, node] = this.#node(refId);
    const type = node.kind === "schema" ? this.#types.byId.get(node.typeId) : undefined;
    if (node.kind !== "schema" || !type || !isSubclass(type.class, expected)) {
      throw corrupt(`instance ${id} is of another class than its place allows`);
    }
    const made = this.#made.get(id);
    if (made) return made as Schema;
    const schema = new type.class();
    this.#keep(id, schema);
    this.#unfilled.push(() => this.#fillSchema(schema, node, type.fields));
    return schema;
  }

  #collection(refId: Value, kind: CollectionKind, slot: SlotType): Collection {
    const [id, node] = this.#node(refId);
    if (node.kind !== kind) throw corrupt(`instance ${id} is not a ${kind}`);
    const made = this.#made.get(id);
    if (made) return made as Collection;
    const collection = newCollection(kind);
    this.#keep(id, collection);
    this.#unfilled.push(() => this.#fillCollection(collection, node as CollectionNode, slot));
    return collection;
  }

  #node(refId: Value): [id: number, node: StateNode] {
    const node = typeof refId === "number" ? this.#image.nodes.get(refId) : undefined;
    if (typeof refId !== "number" || !node) throw corrupt(`no instance ${refId}`);
    return [refId, node];
  }

  #keep(refId: number, instance: Instance): void {
    setRefId(instance, refId);
    this.#made.set(refId, instance);
  }

  #fillSchema(schema: Schema, node: SchemaNode, fields: readonly (FieldInfo | undefined)[]): void {
    const target = schema as unknown as Record<string, unknown>;
    for (const field of fields) {
      if (!field) continue;
      const stored = node.fields[field.index];
      if (stored !== undefined) target[field.name] = this.#fieldValue(stored, field);
      else if (fieldValue(schema, field.index) !== undefined) target[field.name] = undefined;
    }
  }

  #fieldValue(stored: Value, field: FieldInfo): unknown {
    if (field.collection) return this.#collection(stored, field.collection, field.slot);
    return this.#slotValue(stored, field.slot);
  }

  #slotValue(stored: Value, slot: SlotType): unknown {
    if ("class" in slot) return this.#schema(stored, slot.class);
    if (!fitsPlain(stored, slot.plain)) throw corrupt(`a ${typeof stored} in a ${slot.plain}`);
    return stored;
  }

  #fillCollection(collection: Collection, node: CollectionNode, slot: SlotType): void {
    if (node.kind === "array") {
      const items = node.items.map((item) => this.#slotValue(item, slot));
      for (const item of items) (collection as ArraySchema).push(item);
      return;
    }
    const indexed = collection as Exclude<Collection, ArraySchema>;
    for (const [index, { key, value }] of node.entries) {
      setNextWireIndex(indexed, index);
      const item = this.#slotValue(value, slot);
      if (indexed instanceof MapSchema) indexed.set(key, item);
      else indexed.add(item);
    }
    // A map's clients go by key; in the others they go by index, so a lost one must not come again.
    const gap = indexed instanceof MapSchema ? 0 : ID_GAP;
    setNextWireIndex(indexed, node.nextIndex + gap);
  }
}

function isSubclass(klass: unknown, expected: unknown): boolean {
  if (klass === expected) return true;
  if (typeof klass !== "function" || typeof expected !== "function") return false;
  return klass.prototype instanceof expected;
}

function fitsPlain(value: Value, plain: string): boolean {
  if (NUMBER_LIKE.has(plain)) return typeof value === "number";
  if (plain === "string" || plain === "boolean") return typeof value === plain;
  return typeof value === "bigint";
}
