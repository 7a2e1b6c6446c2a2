/** State changes as bytes. Reading checks the form; whether it fits the classes, `restore` checks. */
import { corrupt } from "./room-error.ts";
import type { ByteReader, ByteWriter } from "./snapshot-bytes.ts";
import type { EntriesKind, Entry, NodeChange, StateChange, StateNode } from "./snapshot-image.ts";

const OP = { whole: 0, fields: 1, entries: 2, items: 3 } as const;
/** A node's kind; a schema's is this many more than its type id. */
const KIND = { array: 0, map: 1, set: 2, collection: 3 } as const;
const SCHEMA_KIND = 4;
/** Colyseus allows 63 fields a class. */
const FIELDS_MAX = 64;
const ENTRIES_KINDS: Record<number, EntriesKind> = { 1: "map", 2: "set", 3: "collection" };
/** In changed entries: whether an entry follows, and whether it has a key. */
const ENTRY = { gone: 0, bare: 1, keyed: 2 } as const;

export function writeChange(writer: ByteWriter, change: StateChange): void {
  writer.varuint(change.nextRefId);
  writer.varuint(change.nodes.length);
  for (const [refId, node] of change.nodes) {
    writer.varuint(refId);
    writer.u8(OP[node.op]);
    writeNodeChange(writer, node);
  }
}

/** @throws {RoomStateError} `snapshot_corrupt` */
export function readChange(reader: ByteReader): StateChange {
  const nextRefId = reader.varuint();
  const nodes = times(reader, () => {
    const refId = reader.varuint();
    return [refId, readNodeChange(reader)] as const;
  });
  return { nextRefId, nodes };
}

function writeNodeChange(writer: ByteWriter, change: NodeChange): void {
  if (change.op === "whole") {
    writeNode(writer, change.node);
  } else if (change.op === "fields") {
    writeIndexed(writer, change.fields, (value) => writer.value(value));
  } else if (change.op === "items") {
    writeIndexed(writer, change.items, (value) => writer.value(value));
  } else {
    writer.varuint(change.nextIndex);
    writeIndexed(writer, change.entries, (entry) => writeEntry(writer, entry));
  }
}

function writeNode(writer: ByteWriter, node: StateNode): void {
  if (node.kind === "schema") {
    writer.varuint(SCHEMA_KIND + node.typeId);
    const set = [...node.fields.entries()].filter(([, value]) => value !== undefined);
    writeIndexed(writer, set, (value) => writer.value(value));
  } else if (node.kind === "array") {
    writer.varuint(KIND.array);
    writer.varuint(node.items.length);
    for (const item of node.items) writer.value(item);
  } else {
    writer.varuint(KIND[node.kind]);
    writer.varuint(node.nextIndex);
    writeIndexed(writer, [...node.entries], (entry) => writeEntry(writer, entry));
  }
}

function writeIndexed<T>(
  writer: ByteWriter,
  items: readonly (readonly [number, T])[],
  write: (item: T) => void,
): void {
  writer.varuint(items.length);
  for (const [index, item] of items) {
    writer.varuint(index);
    write(item);
  }
}

function writeEntry(writer: ByteWriter, entry: Entry | undefined): void {
  if (!entry) {
    writer.u8(ENTRY.gone);
    return;
  }
  writer.u8(entry.key === "" ? ENTRY.bare : ENTRY.keyed);
  if (entry.key !== "") writer.text(entry.key);
  writer.value(entry.value);
}

function readNodeChange(reader: ByteReader): NodeChange {
  const op = reader.u8();
  switch (op) {
    case OP.whole:
      return { op: "whole", node: readNode(reader) };
    case OP.fields: {
      const fields = times(reader, () => {
        return [fieldIndex(reader), reader.optionalValue()] as const;
      });
      return { op: "fields", fields };
    }
    case OP.entries: {
      const nextIndex = reader.varuint();
      const entries = times(reader, () => [reader.varuint(), readEntry(reader)] as const);
      return { op: "entries", nextIndex, entries };
    }
    case OP.items: {
      const items = times(reader, () => [reader.varuint(), reader.value()] as const);
      return { op: "items", items };
    }
    default:
      throw corrupt(`unknown change ${op}`);
  }
}

function readNode(reader: ByteReader): StateNode {
  const kind = reader.varuint();
  if (kind === KIND.array) return { kind: "array", items: times(reader, () => reader.value()) };
  if (kind >= SCHEMA_KIND) {
    const fields: StateNode & { kind: "schema" } = {
      kind: "schema",
      typeId: kind - SCHEMA_KIND,
      fields: [],
    };
    for (let left = reader.count(); left > 0; left--) {
      fields.fields[fieldIndex(reader)] = reader.value();
    }
    return fields;
  }
  const entriesKind = ENTRIES_KINDS[kind];
  if (!entriesKind) throw corrupt(`unknown kind ${kind}`);
  const nextIndex = reader.varuint();
  const entries = new Map<number, Entry>();
  for (let left = reader.count(); left > 0; left--) {
    const index = reader.varuint();
    const entry = readEntry(reader);
    if (!entry) throw corrupt("an entry is missing");
    entries.set(index, entry);
  }
  return { kind: entriesKind, nextIndex, entries };
}

function readEntry(reader: ByteReader): Entry | undefined {
  const form = reader.u8();
  if (form === ENTRY.gone) return undefined;
  if (form !== ENTRY.bare && form !== ENTRY.keyed) throw corrupt(`unknown entry ${form}`);
  const key = form === ENTRY.keyed ? reader.text() : "";
  return { key, value: reader.value() };
}

function fieldIndex(reader: ByteReader): number {
  const index = reader.varuint();
  if (index >= FIELDS_MAX) throw corrupt(`field ${index}`);
  return index;
}

function times<T>(reader: ByteReader, read: () => T): T[] {
  return Array.from({ length: reader.count() }, read);
}
