/**
 * A Bloom filter over text: a "no" is certain, a "yes" is wrong at the stated rate.
 *
 * 16 bits a key and 11 of them set for each: 0.046% wrong when it holds as many keys as it was made for
 * (2 MB for a million), 1.2% at twice as many. Bits are chosen by enhanced double hashing (Dillinger and
 * Manolios 2004) of two 32-bit hashes. They are seeded, so that nobody outside can look for keys that pass.
 */
const BITS_PER_KEY = 16;
const BITS_PER_ENTRY = 11;

export class Bloom {
  /** How many keys it is made for. */
  readonly capacity: number;
  readonly #seed: number;
  readonly #words: Uint32Array;
  readonly #bits: number;
  #size = 0;

  /** @param seed 32 random bits */
  constructor(capacity: number, seed: number) {
    this.capacity = capacity;
    this.#seed = seed;
    this.#words = new Uint32Array(Math.ceil((capacity * BITS_PER_KEY) / 32));
    this.#bits = this.#words.length * 32;
  }

  /** Keys that were added and not there yet, but for those that it mistook. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  add(key: string): void {
    if (this.#visit(key, true)) return;
    this.#size += 1;
  }

  has(key: string): boolean {
    return this.#visit(key, false);
  }

  /** Whether all bits of the key were set. */
  #visit(key: string, set: boolean): boolean {
    let [at, step] = hash(key, this.#seed);
    let found = true;
    for (let n = 0; n < BITS_PER_ENTRY; n += 1) {
      const bit = at % this.#bits;
      const word = this.#words[bit >>> 5] ?? 0;
      const mask = 1 << (bit & 31);
      if ((word & mask) === 0) {
        if (!set) return false;
        found = false;
        this.#words[bit >>> 5] = word | mask;
      }
      at = (at + step) >>> 0;
      step = (step + n) >>> 0;
    }
    return found;
  }
}

/** Two hashes of 32 bits: cyrb53's mixing (bryc, public domain), which takes UTF-16 units as they are. */
function hash(key: string, seed: number): [number, number] {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let at = 0; at < key.length; at += 1) {
    const unit = key.charCodeAt(at);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return [a >>> 0, b >>> 0];
}
