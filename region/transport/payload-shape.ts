/**
 * Looks over a client's MessagePack payload before anything decodes it, in one pass and without
 * building it. msgpackr, which Colyseus calls, also understands extensions that no client sends, and
 * some are bombs: its references let 350 bytes stand for a value of gigabytes (700 ms at twenty
 * levels, each further one doubles it), and 16 KiB of brackets end in a stack overflow.
 *
 * What passes is one whole value of the basic types, `undefined`, timestamps, and the records that
 * Colyseus' JavaScript SDK writes objects as.
 */

/** Arrays, maps and records inside each other. */
export const DEPTH_MAX = 32;
/** Different shapes of object in a message. msgpackr may compile a reader for each. */
export const RECORD_SHAPES_MAX = 32;

/** MessagePack's markers; `r` is msgpackr's for a record. */
const EXT_UNDEFINED = 0x00;
const EXT_RECORD = 0x72;
const EXT_TIMESTAMP = 0xff;
const RECORD_ID_MASK = 0x3f;

/** `binary`: it holds bytes, of which a decoder makes views of the frame's memory. */
export type PayloadShape = "plain" | "binary" | "malformed";

/** The shape of all that follows `start`; no payload at all is plain. */
export function payloadShape(frame: Buffer, start: number): PayloadShape {
  if (start === frame.length) return "plain";
  const walk = new Walk(frame, start);
  if (!walk.value(0) || walk.at !== frame.length) return "malformed";
  return walk.binary ? "binary" : "plain";
}

class Walk {
  at: number;
  binary = false;
  readonly #frame: Buffer;
  /** Number of fields by record id, from where the message defines it. */
  #records: Map<number, number> | undefined;
  #shapes = 0;

  constructor(frame: Buffer, at: number) {
    this.#frame = frame;
    this.at = at;
  }

  /** Steps over one value; false when it is cut off or of a kind that clients don't send. */
  value(depth: number): boolean {
    const marker = this.#frame[this.at];
    if (marker === undefined) return false;
    this.at += 1;
    if (marker < 0x80) return this.#smallNumberOrRecord(marker, depth);
    if (marker < 0x90) return this.#values((marker & 0x0f) * 2, depth);
    if (marker < 0xa0) return this.#values(marker & 0x0f, depth);
    if (marker < 0xc0) return this.#skip(marker & 0x1f);
    if (marker >= 0xe0) return true;
    return this.#marked(marker, depth);
  }

  #marked(marker: number, depth: number): boolean {
    switch (marker) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return true;
      case 0xc4: // bytes
      case 0xc5:
      case 0xc6:
        this.binary = true;
        return this.#skip(this.#number(1 << (marker - 0xc4)));
      case 0xc7: // extension of any length
        return this.#number(1) === 12 && this.#number(1) === EXT_TIMESTAMP && this.#skip(12);
      case 0xca: // floats
      case 0xcb:
        return this.#skip(4 << (marker - 0xca));
      case 0xcc: // unsigned
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#skip(1 << (marker - 0xcc));
      case 0xd0: // signed
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#skip(1 << (marker - 0xd0));
      case 0xd4: // extension of one byte
        return this.#smallExtension(depth);
      case 0xd6: // extensions of four and eight bytes
      case 0xd7:
        return this.#number(1) === EXT_TIMESTAMP && this.#skip(marker === 0xd6 ? 4 : 8);
      case 0xd9: // text
      case 0xda:
      case 0xdb:
        return this.#skip(this.#number(1 << (marker - 0xd9)));
      case 0xdc: // arrays
      case 0xdd:
        return this.#values(this.#number(2 << (marker - 0xdc)), depth);
      case 0xde: // maps
      case 0xdf:
        return this.#values(this.#number(2 << (marker - 0xde)) * 2, depth);
      default:
        return false;
    }
  }

  #smallExtension(depth: number): boolean {
    const type = this.#number(1);
    // An invalid date is a timestamp of one byte.
    if (type === EXT_UNDEFINED || type === EXT_TIMESTAMP) return this.#skip(1);
    return type === EXT_RECORD && this.#record(depth);
  }

  /** A record's definition: its id, the names of its fields, and at once the first one's values. */
  #record(depth: number): boolean {
    this.#shapes += 1;
    if (this.#shapes > RECORD_SHAPES_MAX) return false;
    const id = this.#number(1) & RECORD_ID_MASK;
    const marker = this.#number(1);
    const fields = marker === 0xdc ? this.#number(2) : marker - 0x90;
    if (!(fields >= 0 && (marker === 0xdc || fields < 16))) return false;
    for (let field = 0; field < fields; field += 1) if (!this.#name()) return false;
    this.#records ??= new Map();
    this.#records.set(id, fields);
    return this.#values(fields, depth);
  }

  #name(): boolean {
    const marker = this.#number(1);
    if (marker >= 0xa0 && marker < 0xc0) return this.#skip(marker & 0x1f);
    return marker === 0xd9 && this.#skip(this.#number(1));
  }

  #smallNumberOrRecord(marker: number, depth: number): boolean {
    if (marker < 0x40) return true;
    const fields = this.#records?.get(marker & RECORD_ID_MASK);
    return fields === undefined || this.#values(fields, depth);
  }

  /** Each takes a byte at least, so a count that lies ends at the frame's end. */
  #values(count: number, depth: number): boolean {
    if (depth >= DEPTH_MAX) return false;
    for (let index = 0; index < count; index += 1) if (!this.value(depth + 1)) return false;
    // A count that was cut off is no number.
    return count >= 0;
  }

  #skip(bytes: number): boolean {
    this.at += bytes;
    return this.at <= this.#frame.length;
  }

  /** A big-endian number of 1, 2 or 4 bytes; NaN at the frame's end, which fails every check. */
  #number(bytes: number): number {
    const end = this.at + bytes;
    if (end > this.#frame.length) return Number.NaN;
    const value = this.#frame.readUIntBE(this.at, bytes);
    this.at = end;
    return value;
  }
}
