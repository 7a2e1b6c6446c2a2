/**
 * Reads and writes the bytes of frames. The reader trusts nothing: it never reads past the end and
 * never allocates more than the input could hold; whatever does not fit is `snapshot_corrupt`.
 */
import { corrupt } from "./room-error.ts";

/** A field's or an item's value. A reference to another instance is the number it goes by. */
export type Value = number | string | boolean | bigint;

const FIRST_BUFFER_BYTES = 4096;
/** Whole numbers below this are their own tag. */
const SMALL_LIMIT = 0xe0;
const TAG = {
  int: 0xe0,
  negative: 0xe1,
  float32: 0xe2,
  float64: 0xe3,
  no: 0xe4,
  yes: 0xe5,
  text: 0xe6,
  int64: 0xe7,
  uint64: 0xe8,
  unset: 0xe9,
} as const;

export class ByteWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES);
  /** Of the same bytes: writes numbers in half the time that the buffer takes. */
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#room(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  /** @param value a whole number from 0 to 2^53 - 1 */
  varuint(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.varuint(size);
    this.#room(size);
    this.#length += this.#bytes.write(value, this.#length);
  }

  value(value: Value | undefined): void {
    if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") {
      this.u8(TAG.text);
      this.text(value);
    } else if (typeof value === "boolean") this.u8(value ? TAG.yes : TAG.no);
    else if (value === undefined) this.u8(TAG.unset);
    else this.#bigint(value);
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, 0, this.#length);
  }

  /** What was written, to be used before anything more is. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0 && value < SMALL_LIMIT) this.u8(value);
      else {
        this.u8(value < 0 ? TAG.negative : TAG.int);
        this.varuint(value < 0 ? -(value + 1) : value);
      }
      return;
    }
    this.#room(9);
    // NaN is no number like itself, and has a short form all the same.
    const exact32 = Math.fround(value) === value || Number.isNaN(value);
    this.u8(exact32 ? TAG.float32 : TAG.float64);
    if (exact32) this.#view.setFloat32(this.#length, value, true);
    else this.#view.setFloat64(this.#length, value, true);
    this.#length += exact32 ? 4 : 8;
  }

  #bigint(value: bigint): void {
    this.#room(9);
    this.u8(value < 0n ? TAG.int64 : TAG.uint64);
    this.#length = this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, value), this.#length);
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

export class ByteReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  varuint(): number {
    let value = 0;
    let scale = 1;
    for (let byte = this.u8(); ; byte = this.u8()) {
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw corrupt("a number is too large");
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  /** How many elements follow, each of at least one byte. */
  count(): number {
    const count = this.varuint();
    if (count > this.remaining) throw corrupt("more elements than bytes");
    return count;
  }

  raw(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(): string {
    const length = this.varuint();
    const start = this.#advance(length);
    return this.#bytes.toString("utf8", start, start + length);
  }

  /** @returns undefined for a field that was unset */
  optionalValue(): Value | undefined {
    const tag = this.u8();
    switch (tag) {
      case TAG.int:
        return this.varuint();
      case TAG.negative:
        return -this.varuint() - 1;
      case TAG.float32:
        return this.#bytes.readFloatLE(this.#advance(4));
      case TAG.float64:
        return this.#bytes.readDoubleLE(this.#advance(8));
      case TAG.no:
        return false;
      case TAG.yes:
        return true;
      case TAG.text:
        return this.text();
      case TAG.int64:
        return this.#bytes.readBigInt64LE(this.#advance(8));
      case TAG.uint64:
        return this.#bytes.readBigUInt64LE(this.#advance(8));
      case TAG.unset:
        return undefined;
      default:
        if (tag < SMALL_LIMIT) return tag;
        throw corrupt(`unknown tag ${tag}`);
    }
  }

  value(): Value {
    const value = this.optionalValue();
    if (value === undefined) throw corrupt("a value is missing");
    return value;
  }

  #advance(length: number): number {
    if (length > this.remaining) throw corrupt("cut off");
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}
