/**
 * A state as plain data: one node per instance, by the reference id that clients know it by. It also
 * holds what is invisible in the values but part of the clients' picture: the wire indexes of map,
 * set and collection entries, and the counters they come from.
 *
 * A change is a list of node changes. Applying changes in order to the image they were made against
 * gives the sender's image; the pieces don't depend on each other's order.
 */
import { corrupt, RoomStateError } from "./room-error.ts";
import type { Value } from "./snapshot-bytes.ts";

export type EntriesKind = "map" | "set" | "collection";

export interface Entry {
  /** Of a map; empty otherwise. */
  readonly key: string;
  readonly value: Value;
}

export type StateNode =
  | { readonly kind: "schema"; readonly typeId: number; readonly fields: (Value | undefined)[] }
  | { readonly kind: "array"; readonly items: Value[] }
  | {
      readonly kind: EntriesKind;
      /** The wire index that the next entry gets. */
      nextIndex: number;
      /** By wire index, in the order in which the collection iterates. */
      readonly entries: Map<number, Entry>;
    };

export type NodeChange =
  | { readonly op: "whole"; readonly node: StateNode }
  | { readonly op: "fields"; readonly fields: readonly (readonly [number, Value | undefined])[] }
  | {
      readonly op: "entries";
      readonly nextIndex: number;
      readonly entries: readonly (readonly [number, Entry | undefined])[];
    }
  | { readonly op: "items"; readonly items: readonly (readonly [number, Value])[] };

export interface StateChange {
  /** The reference id that the next new instance gets. */
  readonly nextRefId: number;
  readonly nodes: readonly (readonly [refId: number, change: NodeChange])[];
}

export interface StateImage {
  nextRefId: number;
  readonly nodes: Map<number, StateNode>;
}

/** Instances in one state, those included that were dropped since the last full frame. */
export const NODES_MAX = 1_000_000;

export function emptyImage(): StateImage {
  return { nextRefId: 0, nodes: new Map() };
}

/** @throws {RoomStateError} `replica_gap` when a change is about a node that the image lacks */
export function applyChange(image: StateImage, change: StateChange): void {
  image.nextRefId = change.nextRefId;
  for (const [refId, nodeChange] of change.nodes) {
    if (nodeChange.op === "whole") image.nodes.set(refId, nodeChange.node);
    else applyTo(image.nodes.get(refId), nodeChange, refId);
  }
  if (image.nodes.size > NODES_MAX) {
    throw new RoomStateError("limit_exceeded", `more than ${NODES_MAX} instances in a state`);
  }
}

function applyTo(
  node: StateNode | undefined,
  change: Exclude<NodeChange, { op: "whole" }>,
  refId: number,
): void {
  if (!node) throw new RoomStateError("replica_gap", `instance ${refId} was never sent`);
  if (change.op === "fields" && node.kind === "schema") {
    for (const [index, value] of change.fields) node.fields[index] = value;
  } else if (change.op === "items" && node.kind === "array") {
    for (const [index, value] of change.items) {
      if (index > node.items.length) throw corrupt("an array item past the end");
      node.items[index] = value;
    }
  } else if (change.op === "entries" && "entries" in node) {
    node.nextIndex = change.nextIndex;
    for (const [index, entry] of change.entries) {
      if (entry) node.entries.set(index, entry);
      else node.entries.delete(index);
    }
  } else {
    throw corrupt(`instance ${refId}: a change of ${change.op} does not fit a ${node.kind}`);
  }
}

/** The whole image as one change, to start another copy from. */
export function wholeImage(image: StateImage): StateChange {
  const nodes = [...image.nodes].map(([refId, node]) => {
    return [refId, { op: "whole", node }] as const;
  });
  return { nextRefId: image.nextRefId, nodes };
}
