/**
 * The line of one class in front of one region: places by their number, the lowest first.
 *
 * A sorted list in chunks: a place is found, added and removed in the time of one chunk and of the list of
 * chunks (100,000 places: some 200 chunks of 512). Each chunk also counts the places that may be called, so
 * that a search for one passes over chunks of absent players.
 */
import type { Place } from "./place.ts";

const CHUNK_MAX = 512;

interface Chunk {
  readonly places: Place[];
  /** Players in it: parties count as many. */
  players: number;
  /** Places of it that may be called. */
  ready: number;
}

export class Line {
  readonly #chunks: Chunk[] = [];
  #players = 0;
  #places = 0;
  #ready = 0;

  get players(): number {
    return this.#players;
  }

  get places(): number {
    return this.#places;
  }

  /** Places that may be called. */
  get ready(): number {
    return this.#ready;
  }

  add(place: Place): void {
    const chunk = this.#chunkFor(place.number);
    chunk.places.splice(indexIn(chunk, place.number), 0, place);
    this.#count(chunk, place, 1);
    if (chunk.places.length > CHUNK_MAX) this.#split(chunk);
  }

  remove(place: Place): void {
    const at = this.#chunkIndex(place.number);
    const chunk = this.#chunks[at];
    const index = chunk ? indexIn(chunk, place.number) : -1;
    if (chunk?.places[index] !== place) throw new Error("a place that is not in its line");
    chunk.places.splice(index, 1);
    this.#count(chunk, place, -1);
    if (chunk.places.length === 0) this.#chunks.splice(at, 1);
  }

  /** Whether some place has that number. */
  has(number: number): boolean {
    const chunk = this.#chunks[this.#chunkIndex(number)];
    return chunk?.places[indexIn(chunk, number)]?.number === number;
  }

  /** Says that a place of this line may be called from now on, or not any more. */
  setReady(place: Place, ready: boolean): void {
    if (place.ready === ready) return;
    const chunk = this.#chunks[this.#chunkIndex(place.number)];
    if (!chunk) throw new Error("a place that is not in its line");
    const change = ready ? 1 : -1;
    place.ready = ready;
    chunk.ready += change;
    this.#ready += change;
  }

  /** Players that are ahead of the place. */
  ahead(place: Place): number {
    const at = this.#chunkIndex(place.number);
    let players = 0;
    for (let index = 0; index < at; index += 1) players += this.#chunks[index]?.players ?? 0;
    const chunk = this.#chunks[at];
    if (!chunk) return players;
    // Nearly always all of them came alone: looking at each of up to 512 was a tenth of a poll.
    if (chunk.players === chunk.places.length) return players + indexIn(chunk, place.number);
    for (const other of chunk.places) {
      if (other === place) break;
      players += other.entry.size;
    }
    return players;
  }

  /** Those that may be called, the first first. */
  *readyPlaces(): Generator<Place> {
    for (const chunk of this.#chunks) {
      if (chunk.ready === 0) continue;
      for (const place of chunk.places) if (place.ready) yield place;
    }
  }

  *[Symbol.iterator](): Generator<Place> {
    for (const { places } of this.#chunks) yield* places;
  }

  #count(chunk: Chunk, place: Place, sign: 1 | -1): void {
    const players = sign * place.entry.size;
    chunk.players += players;
    this.#players += players;
    this.#places += sign;
    if (!place.ready) return;
    chunk.ready += sign;
    this.#ready += sign;
  }

  #chunkFor(number: number): Chunk {
    const last = this.#chunks.at(-1);
    if (!last) {
      const first = { places: [], players: 0, ready: 0 };
      this.#chunks.push(first);
      return first;
    }
    return this.#chunks[this.#chunkIndex(number)] ?? last;
  }

  /** Of the last chunk that begins at or before the number; the first one for lower numbers. */
  #chunkIndex(number: number): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const begin = this.#chunks[middle]?.places[0]?.number ?? 0;
      if (begin <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #split(chunk: Chunk): void {
    const at = this.#chunks.indexOf(chunk);
    const places = chunk.places.splice(chunk.places.length >>> 1);
    const half: Chunk = { places, players: 0, ready: 0 };
    for (const place of places) {
      half.players += place.entry.size;
      if (place.ready) half.ready += 1;
    }
    chunk.players -= half.players;
    chunk.ready -= half.ready;
    this.#chunks.splice(at + 1, 0, half);
  }
}

/** Where the number is in the chunk, or belongs. */
function indexIn({ places }: Chunk, number: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((places[middle]?.number ?? 0) < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
