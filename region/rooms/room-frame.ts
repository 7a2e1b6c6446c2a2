/**
 * A frame is what goes from a room to its standby, once per patch: everything, or what changed.
 * A full frame on its own is a snapshot, from which the room can be restored.
 *
 *     "MR" version kind  hash:8  seq  progress  record?  state change  crc32:4
 *
 * The checksum is against accidents, the bounds of the reader against everything else: a wrong frame
 * costs at most the reading of `FRAME_BYTES_MAX`, and gives a typed error.
 */
import { crc32 } from "node:zlib";
import { corrupt, RoomStateError } from "./room-error.ts";
import { type RoomProgress, readProgress, writeProgress } from "./room-side.ts";
import { ByteReader, ByteWriter } from "./snapshot-bytes.ts";
import { readChange, writeChange } from "./snapshot-codec.ts";
import type { StateChange } from "./snapshot-image.ts";

export interface RoomFrame {
  readonly kind: "full" | "delta";
  /** Of the state's classes: 16 hexadecimal digits. */
  readonly schemaHash: string;
  /** Counts up by one with each frame of a room to a standby. */
  readonly seq: number;
  readonly progress: RoomProgress;
  /** A `RoomRecord` as JSON; absent in a delta when it is as before. */
  readonly record: string | undefined;
  readonly state: StateChange;
}

export const FRAME_VERSION = 2;
/** A larger state is refused by both sides. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const MAGIC = 0x524d;
const KINDS = ["full", "delta"] as const;
const KIND_AT = 3;
const HASH_BYTES = 8;
const CHECKSUM_BYTES = 4;

/** @throws {RoomStateError} `limit_exceeded` */
export function encodeFrame(frame: RoomFrame): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(MAGIC & 0xff);
  writer.u8(MAGIC >> 8);
  writer.u8(FRAME_VERSION);
  writer.u8(KINDS.indexOf(frame.kind));
  writer.raw(Buffer.from(frame.schemaHash, "hex"));
  writer.varuint(frame.seq);
  writeProgress(writer, frame.progress);
  writer.u8(frame.record === undefined ? 0 : 1);
  if (frame.record !== undefined) writer.text(frame.record);
  writeChange(writer, frame.state);
  writer.u32(crc32(writer.view()));
  const bytes = writer.take();
  if (bytes.length > FRAME_BYTES_MAX) {
    throw new RoomStateError("limit_exceeded", `a frame of ${bytes.length} bytes`);
  }
  return bytes;
}

/** @throws {RoomStateError} `snapshot_corrupt`, `schema_mismatch` or `limit_exceeded` */
export function decodeFrame(bytes: Uint8Array, schemaHash: string): RoomFrame {
  if (bytes.length > FRAME_BYTES_MAX) {
    throw new RoomStateError("limit_exceeded", `a frame of ${bytes.length} bytes`);
  }
  const reader = checked(bytes);
  const kind = KINDS[reader.u8()];
  if (!kind) throw corrupt("unknown kind of frame");
  const hash = Buffer.from(reader.raw(HASH_BYTES)).toString("hex");
  if (hash !== schemaHash) {
    const message = `made by schema ${hash}, here is ${schemaHash}`;
    throw new RoomStateError("schema_mismatch", message);
  }
  const seq = reader.varuint();
  const progress = readProgress(reader);
  const record = reader.u8() === 1 ? reader.text() : undefined;
  const state = readChange(reader);
  if (reader.remaining > 0) throw corrupt("more bytes than the frame needs");
  if (kind === "full" && record === undefined) throw corrupt("a full frame without its record");
  return { kind, schemaHash, seq, progress, record, state };
}

/** After the checks of length, checksum, magic and version. */
function checked(bytes: Uint8Array): ByteReader {
  const bodyLength = bytes.length - CHECKSUM_BYTES;
  if (bodyLength < 0) throw corrupt("cut off");
  const body = bytes.subarray(0, bodyLength);
  const checksum = new ByteReader(bytes.subarray(bodyLength)).u32();
  if (crc32(body) !== checksum) throw corrupt("the checksum is wrong");
  return begun(new ByteReader(body));
}

/** After the checks of magic and version. */
function begun(reader: ByteReader): ByteReader {
  if ((reader.u8() | (reader.u8() << 8)) !== MAGIC) throw corrupt("not a frame");
  const version = reader.u8();
  if (version !== FRAME_VERSION) {
    throw new RoomStateError("schema_mismatch", `frame version ${version}, not ${FRAME_VERSION}`);
  }
  return reader;
}

/** What shows without decoding a frame: enough to keep it. */
export interface FrameHead {
  readonly kind: "full" | "delta";
  readonly schemaHash: string;
  readonly seq: number;
  readonly tick: number;
}

/** @throws {RoomStateError} `snapshot_corrupt`, `schema_mismatch` for another version, or `limit_exceeded` */
export function frameHeadOf(bytes: Uint8Array): FrameHead {
  if (bytes.length > FRAME_BYTES_MAX) {
    throw new RoomStateError("limit_exceeded", `a frame of ${bytes.length} bytes`);
  }
  // A full frame replaces all that was before it, so a damaged one must show at once.
  const reader = bytes[KIND_AT] === 0 ? checked(bytes) : begun(new ByteReader(bytes));
  const kind = KINDS[reader.u8()];
  if (!kind) throw corrupt("unknown kind of frame");
  const schemaHash = Buffer.from(reader.raw(HASH_BYTES)).toString("hex");
  return { kind, schemaHash, seq: reader.varuint(), tick: reader.varuint() };
}
