/**
 * A received frame as Colyseus wants it: a Buffer over the memory of uWebSockets.js, which takes it
 * back when the handler returns. Nearly all frames are decoded at once into numbers and strings, so
 * no copy is made. What game code could keep a view of is copied: raw bytes, and packed messages
 * that may hold binary fields.
 */

/** The low five bits of a frame's first byte are Colyseus' protocol code. */
const CODE_MASK = 0x1f;
const ROOM_DATA = 13;
const ROOM_DATA_BYTES = 17;
const ROOM_REQUEST = 21;
/** MessagePack's markers for binary and extension data of any length, 0xc4 to 0xc9. */
const BINARY_MARKER_MIN = 0xc4;
const BINARY_MARKER_MAX = 0xc9;

export function frameOf(data: ArrayBuffer): Buffer {
  const view = Buffer.from(data);
  return mayBeKept(view) ? Buffer.from(view) : view;
}

function mayBeKept(frame: Buffer): boolean {
  const code = (frame[0] ?? 0) & CODE_MASK;
  if (code === ROOM_DATA_BYTES) return true;
  if (code !== ROOM_DATA && code !== ROOM_REQUEST) return false;
  // A marker may also be part of a string or a number: then the copy is merely not needed.
  for (let index = 1; index < frame.length; index += 1) {
    const byte = frame[index] ?? 0;
    if (byte >= BINARY_MARKER_MIN && byte <= BINARY_MARKER_MAX) return true;
  }
  return false;
}
