/**
 * What a returning client must be told besides the full state. A full state lists what is there, and
 * the client drops the entries of collections that it does not list, but keeps the former values of
 * fields that are unset now. So the unset ones follow it, as deletions, in the same message; deleting
 * what a client does not have changes nothing.
 *
 * A client comes back with a decoder that may be behind (it missed patches) or ahead (a restored room
 * is up to a few ticks older than what the lost one had sent).
 */
import { type Encoder, encode, OPERATION, type StateView } from "@colyseus/schema";
import { captureState } from "./snapshot-capture.ts";
import type { StateTypes } from "./snapshot-schema.ts";

const SWITCH_TO_STRUCTURE = 0xff;

/** @param view of the client, where the state has fields that not everyone sees */
export function unsetFields(types: StateTypes, encoder: Encoder, view?: StateView): Uint8Array {
  const bytes: number[] = [];
  const at = { offset: 0 };
  for (const [refId, change] of captureState(types, encoder).nodes) {
    if (change.op !== "whole" || change.node.kind !== "schema") continue;
    const { fields, typeId } = change.node;
    const unset = types.byId.get(typeId)?.fields.filter((f) => f && fields[f.index] === undefined);
    if (!unset?.length || !isKnown(encoder, refId, view)) continue;
    bytes[at.offset++] = SWITCH_TO_STRUCTURE;
    encode.number(bytes, refId, at);
    for (const field of unset) bytes[at.offset++] = (field?.index ?? 0) | OPERATION.DELETE;
  }
  return Uint8Array.from(bytes);
}

/** Whether the client was told of that instance. */
function isKnown(encoder: Encoder, refId: number, view: StateView | undefined): boolean {
  const tree = encoder.root.changeTrees[refId];
  if (!tree) return false;
  return !tree.isFiltered || view?.isChangeTreeVisible(tree) === true;
}
