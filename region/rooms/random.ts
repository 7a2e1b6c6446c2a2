/**
 * Randomness that is part of a room: seeded once, captured with the state, so a restored room goes on
 * with the numbers the lost one would have drawn. Not for secrets.
 *
 * xoshiro128** 1.1 by David Blackman and Sebastiano Vigna (public domain,
 * https://prng.di.unimi.it/xoshiro128starstar.c), seeded by a SplitMix counter (Guy Steele et al.,
 * OOPSLA 2014) through the 32-bit finaliser of Austin Appleby's MurmurHash3 (public domain).
 */
import { z } from "zod";

const word = z.number().int().min(0).max(0xffff_ffff);

/** Four words of 32 bits, not all zero. */
export const RandomState = z.tuple([word, word, word, word]).readonly();
export type RandomState = z.infer<typeof RandomState>;

const TWO_32 = 2 ** 32;

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor([a, b, c, d]: RandomState) {
    [this.#a, this.#b, this.#c, this.#d] = [a, b, c, d];
    // All zero is the one state that never changes.
    if ((a | b | c | d) === 0) this.#a = 1;
  }

  /** @param seed any whole number; its low 32 bits count */
  static fromSeed(seed: number): Random {
    let counter = seed >>> 0;
    const next = (): number => {
      counter = (counter + 0x9e37_79b9) >>> 0;
      let mixed = Math.imul(counter ^ (counter >>> 16), 0x85eb_ca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
      return (mixed ^ (mixed >>> 16)) >>> 0;
    };
    return new Random([next(), next(), next(), next()]);
  }

  get state(): RandomState {
    return [this.#a, this.#b, this.#c, this.#d];
  }

  /** A whole number from 0 to 2^32 - 1. */
  next(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b = (this.#b ^ this.#c) >>> 0;
    this.#a = (this.#a ^ this.#d) >>> 0;
    this.#c = (this.#c ^ shifted) >>> 0;
    this.#d = rotateLeft(this.#d, 11) >>> 0;
    return result;
  }

  /** From 0 up to but not including 1, with 32 bits. */
  float(): number {
    return this.next() / TWO_32;
  }

  /** A whole number from 0 up to but not including `limit`, each as likely. */
  int(limit: number): number {
    if (!Number.isInteger(limit) || limit < 1 || limit > TWO_32) {
      throw new RangeError(`a limit from 1 to 2^32, not ${limit}`);
    }
    // Numbers in the incomplete last round would favour the small results.
    const fair = TWO_32 - (TWO_32 % limit);
    let drawn = this.next();
    while (drawn >= fair) drawn = this.next();
    return drawn % limit;
  }

  /** One of the items, each as likely. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)] as T;
  }

  /** A shuffled copy (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let end = shuffled.length - 1; end > 0; end--) {
      const chosen = this.int(end + 1);
      [shuffled[end], shuffled[chosen]] = [shuffled[chosen] as T, shuffled[end] as T];
    }
    return shuffled;
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
