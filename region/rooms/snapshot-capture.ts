/**
 * Reads a live state: all of it, or what changed since Colyseus last threw its list of changes away.
 *
 * A delta must be read before each `encode` and `discardChanges`, also when nobody is connected: the
 * list is gone afterwards. It says for each changed instance what it is now, never what was done to
 * it, so it does not matter how the game got there. An instance that was not sent yet goes whole,
 * whatever Colyseus believes was sent, because a cleared set leaves its items half attached.
 */
import {
  ArraySchema,
  type ChangeTree,
  type Encoder,
  OPERATION,
  type Schema,
} from "@colyseus/schema";
import { RoomStateError } from "./room-error.ts";
import {
  arrayItems,
  changedTrees,
  collectionKind,
  fieldValue,
  type Instance,
  indexedEntries,
  indexedEntry,
  nextRefId,
  nextWireIndex,
  refIdOf,
} from "./schema-internals.ts";
import type { Value } from "./snapshot-bytes.ts";
import type { Entry, NodeChange, StateChange, StateNode } from "./snapshot-image.ts";
import type { StateTypes } from "./snapshot-schema.ts";

type Nodes = [refId: number, change: NodeChange][];
type Indexed = Exclude<Instance, Schema | ArraySchema>;

/** The whole state, at any moment. */
export function captureState(types: StateTypes, encoder: Encoder): StateChange {
  return new StateCapture(types).full(encoder);
}

export class StateCapture {
  readonly #types: StateTypes;
  /** Instances that the receiver has, by reference id. */
  readonly #sent = new Set<number>();

  constructor(types: StateTypes) {
    this.#types = types;
  }

  full(encoder: Encoder): StateChange {
    this.#sent.clear();
    const nodes: Nodes = [];
    this.#sendNew(encoder.state, nodes);
    return { nextRefId: nextRefId(encoder), nodes };
  }

  /** What changed since the last `full` or `delta`. */
  delta(encoder: Encoder): StateChange {
    const nodes: Nodes = [];
    for (const tree of changedTrees(encoder)) {
      const instance: Instance = tree.ref;
      const refId = refIdOf(instance);
      if (refId === undefined || !this.#sent.has(refId)) {
        this.#sendNew(instance, nodes);
        continue;
      }
      const unsent: Instance[] = [];
      nodes.push([refId, this.#change(tree, instance, unsent)]);
      for (const child of unsent) this.#sendNew(child, nodes);
    }
    return { nextRefId: nextRefId(encoder), nodes };
  }

  /** An instance and all below it that were not sent yet. */
  #sendNew(instance: Instance, nodes: Nodes): void {
    const pending = [instance];
    for (let next = pending.pop(); next; next = pending.pop()) {
      const refId = refIdOf(next);
      if (refId === undefined || this.#sent.has(refId)) continue;
      this.#sent.add(refId);
      nodes.push([refId, { op: "whole", node: this.#node(next, pending) }]);
    }
  }

  #node(instance: Instance, unsent: Instance[]): StateNode {
    if (instance instanceof ArraySchema) {
      return {
        kind: "array",
        items: arrayItems(instance).map((item) => this.#value(item, unsent)),
      };
    }
    const kind = collectionKind(instance);
    if (kind && kind !== "array") {
      const { nextIndex, entries } = indexedEntries(instance as Indexed);
      const captured = new Map<number, Entry>();
      for (const [index, key, value] of entries) {
        captured.set(index, { key, value: this.#value(value, unsent) });
      }
      return { kind, nextIndex, entries: captured };
    }
    const schema = instance as Schema;
    const type = this.#types.byClass.get(schema.constructor);
    if (!type) throw unknownClass(schema);
    const fields: (Value | undefined)[] = [];
    for (const field of type.fields) {
      if (field) fields[field.index] = this.#optional(fieldValue(schema, field.index), unsent);
    }
    return { kind: "schema", typeId: type.id, fields };
  }

  #change(tree: ChangeTree, instance: Instance, unsent: Instance[]): NodeChange {
    if (instance instanceof ArraySchema) return this.#arrayChange(tree, instance, unsent);
    if (collectionKind(instance)) {
      return this.#entriesChange(tree, instance as Indexed, unsent);
    }
    const schema = instance as Schema;
    const type = this.#types.byClass.get(schema.constructor);
    const fields: [number, Value | undefined][] = [];
    tree.forEach((index) => {
      if (!type?.fields[index]) return;
      fields.push([index, this.#optional(fieldValue(schema, index), unsent)]);
    });
    return { op: "fields", fields };
  }

  /** Positions shift with most operations, so an array goes whole but for items set in place. */
  #arrayChange(tree: ChangeTree, array: ArraySchema, unsent: Instance[]): NodeChange {
    const items = arrayItems(array);
    const changed: [number, Value][] = [];
    let inPlace = true;
    tree.forEach((index, operation) => {
      const item = items[index];
      if (operation !== OPERATION.REPLACE || item === undefined) inPlace = false;
      else changed.push([index, this.#value(item, unsent)]);
    });
    if (inPlace) return { op: "items", items: changed };
    return { op: "whole", node: this.#node(array, unsent) };
  }

  /**
   * Entries that were added, set or removed. One that was removed and added again in the same tick
   * moved to the end, and `clear` leaves no list: then the collection goes whole.
   */
  #entriesChange(tree: ChangeTree, collection: Indexed, unsent: Instance[]): NodeChange {
    const changed: [number, Entry | undefined][] = [];
    let simple = true;
    tree.forEach((index, operation) => {
      const { key, value } = indexedEntry(collection, index);
      const exists = value !== undefined && value !== null;
      if (index < 0 || (exists && !isSimple(operation))) simple = false;
      else changed.push([index, exists ? { key, value: this.#value(value, unsent) } : undefined]);
    });
    if (!simple) return { op: "whole", node: this.#node(collection, unsent) };
    return { op: "entries", nextIndex: nextWireIndex(collection), entries: changed };
  }

  #optional(value: unknown, unsent: Instance[]): Value | undefined {
    return value === undefined || value === null ? undefined : this.#value(value, unsent);
  }

  #value(value: unknown, unsent: Instance[]): Value {
    if (typeof value !== "object" || value === null) return value as Value;
    const instance = value as Instance;
    const refId = refIdOf(instance);
    if (refId === undefined) {
      const name = instance.constructor.name;
      throw new RoomStateError("unrestorable_state", `an instance of ${name} is not attached`);
    }
    if (!this.#sent.has(refId)) unsent.push(instance);
    return refId;
  }
}

function isSimple(operation: OPERATION): boolean {
  return operation === OPERATION.ADD || operation === OPERATION.REPLACE;
}

function unknownClass(instance: Schema): RoomStateError {
  const name = instance.constructor.name;
  return new RoomStateError("unrestorable_state", `${name} was defined after the game`);
}
