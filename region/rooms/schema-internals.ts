/**
 * What we rely on inside @colyseus/schema besides its public methods, named in one place. The
 * property test holds the installed version to it.
 */
import {
  $changes,
  $refId,
  $values,
  ArraySchema,
  type ChangeTree,
  CollectionSchema,
  type Encoder,
  MapSchema,
  type Schema,
  SetSchema,
} from "@colyseus/schema";
import { corrupt } from "./room-error.ts";
import type { CollectionKind } from "./snapshot-schema.ts";

export type Collection = ArraySchema | MapSchema | SetSchema | CollectionSchema;
export type Instance = Schema | Collection;

interface MapInternals {
  readonly $items: Map<string, unknown>;
  readonly journal: { nextIndex: number; indexOf(key: string): number | undefined };
}
interface IndexedInternals {
  readonly $items: Map<number, unknown>;
  $refId: number;
}
interface RootInternals {
  nextUniqueId: number;
  readonly changes: { readonly next?: QueueNode };
}
interface QueueNode {
  readonly changeTree: ChangeTree;
  readonly next?: QueueNode;
}

export function changesOf(instance: Instance): ChangeTree {
  const tree = instance[$changes];
  if (!tree) throw new Error("an instance without change tracking is not part of a room's state");
  return tree;
}

/** @returns undefined for an instance that no encoder has seen */
export function refIdOf(instance: Instance): number | undefined {
  return instance[$refId];
}

/** Fixes the id that an instance keeps; only before an encoder has seen it. */
export function setRefId(instance: Instance, refId: number): void {
  Object.defineProperty(instance, $refId, { value: refId, enumerable: false, writable: true });
}

/** A field's value, without running its accessor. */
export function fieldValue(instance: Schema, index: number): unknown {
  return instance[$values][index];
}

export function arrayItems(array: ArraySchema): readonly unknown[] {
  // The tracked target behind the proxy: reading through the proxy costs a trap for each item.
  return (changesOf(array).refTarget as unknown as { items: unknown[] }).items;
}

/** Entries by wire index, in the collection's own order, and the next index it gives. */
export function indexedEntries(collection: MapSchema | SetSchema | CollectionSchema): {
  readonly nextIndex: number;
  readonly entries: Iterable<readonly [index: number, key: string, value: unknown]>;
} {
  if (collection instanceof MapSchema) {
    const map = collection as unknown as MapInternals;
    return { nextIndex: map.journal.nextIndex, entries: mapEntries(map) };
  }
  const indexed = collection as unknown as IndexedInternals;
  const entries = Array.from(indexed.$items, ([index, value]) => [index, "", value] as const);
  return { nextIndex: indexed.$refId, entries };
}

/** One entry by wire index; its value is undefined when it is gone. */
export function indexedEntry(
  collection: MapSchema | SetSchema | CollectionSchema,
  index: number,
): { readonly key: string; readonly value: unknown } {
  if (!(collection instanceof MapSchema)) {
    const indexed = collection as unknown as IndexedInternals;
    return { key: "", value: indexed.$items.get(index) };
  }
  const key = collection.$indexes.get(index);
  return { key: key ?? "", value: key === undefined ? undefined : collection.get(key) };
}

export function nextWireIndex(collection: MapSchema | SetSchema | CollectionSchema): number {
  return collection instanceof MapSchema
    ? (collection as unknown as MapInternals).journal.nextIndex
    : (collection as unknown as IndexedInternals).$refId;
}

/** The wire index that the next entry gets. */
export function setNextWireIndex(
  collection: MapSchema | SetSchema | CollectionSchema,
  index: number,
): void {
  if (collection instanceof MapSchema) {
    (collection as unknown as MapInternals).journal.nextIndex = index;
  } else {
    (collection as unknown as IndexedInternals).$refId = index;
  }
}

export function newCollection(kind: CollectionKind): Collection {
  if (kind === "array") return new ArraySchema();
  if (kind === "map") return new MapSchema();
  return kind === "set" ? new SetSchema() : new CollectionSchema();
}

/** @returns undefined for an instance of a class */
export function collectionKind(instance: Instance): CollectionKind | undefined {
  if (instance instanceof ArraySchema) return "array";
  if (instance instanceof MapSchema) return "map";
  if (instance instanceof SetSchema) return "set";
  return instance instanceof CollectionSchema ? "collection" : undefined;
}

export function nextRefId(encoder: Encoder): number {
  return (encoder.root as unknown as RootInternals).nextUniqueId;
}

export function setNextRefId(encoder: Encoder, refId: number): void {
  (encoder.root as unknown as RootInternals).nextUniqueId = refId;
}

/** Instances with changes that were not encoded yet. */
export function* changedTrees(encoder: Encoder): Generator<ChangeTree> {
  const { changes } = encoder.root as unknown as RootInternals;
  for (let node = changes.next; node; node = node.next) yield node.changeTree;
}

function* mapEntries(map: MapInternals): Generator<readonly [number, string, unknown]> {
  for (const [key, value] of map.$items) {
    const index = map.journal.indexOf(key);
    if (index === undefined) throw corrupt(`map key ${key} has no wire index`);
    yield [index, key, value] as const;
  }
}
