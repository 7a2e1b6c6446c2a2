/**
 * Reads by key, shared and gathered: who asks for a key that is being read waits for that read, and keys
 * that are asked for within `gatherMs` are read together. So a stampede on one key makes one read, and one
 * on many keys makes few.
 *
 * Nothing is kept once it was answered: this is no cache. Whoever learns that a value changed says
 * `forget`, and who asks from then on gets a read that begins after it.
 */
import type { Clock } from "./clock.ts";
import { MeridianError } from "./errors.ts";

export interface FlightsOptions<K, V> {
  /** For messages, for example "profiles". */
  readonly name: string;
  /** Values by key; what has none is left out. */
  readonly read: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>;
  /** Most keys of one read. */
  readonly batchMax: number;
  /** Most keys that are being read or wait for it; one more gets `unavailable`. */
  readonly keysMax: number;
  readonly gatherMs: number;
  readonly clock: Clock;
}

interface Batch<K, V> {
  readonly keys: K[];
  readonly values: Promise<ReadonlyMap<K, V>>;
  readonly send: () => void;
  sent: boolean;
}

interface Flight<K, V> {
  readonly batch: Batch<K, V>;
  readonly value: Promise<V | undefined>;
}

const RETRY_AFTER_MS = 1_000;

export class Flights<K, V> {
  readonly #options: FlightsOptions<K, V>;
  readonly #flights = new Map<K, Flight<K, V>>();
  /** Still gathers keys. */
  #open: Batch<K, V> | undefined;
  #keys = 0;

  constructor(options: FlightsOptions<K, V>) {
    this.#options = options;
  }

  /** Keys that are being read or wait for it, forgotten ones too. */
  get underWay(): number {
    return this.#keys;
  }

  /** @throws {MeridianError} `unavailable` when too many are under way; what `read` throws */
  async get(key: K): Promise<V | undefined> {
    const underWay = this.#flights.get(key);
    if (underWay) return await underWay.value;
    const { name, keysMax } = this.#options;
    if (this.#keys >= keysMax) {
      throw new MeridianError("unavailable", {
        message: `Too many ${name} are being read at this moment.`,
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    return await this.#begin(key).value;
  }

  /** Who asks for it from now on does not get what is being read already. */
  forget(key: K): void {
    if (this.#flights.get(key)?.batch.sent) this.#flights.delete(key);
  }

  forgetAll(): void {
    for (const key of this.#flights.keys()) this.forget(key);
  }

  #begin(key: K): Flight<K, V> {
    const batch = this.#open ?? this.#newBatch();
    batch.keys.push(key);
    this.#keys += 1;
    const flight = { batch, value: this.#land(key, batch) };
    this.#flights.set(key, flight);
    if (batch.keys.length >= this.#options.batchMax) batch.send();
    return flight;
  }

  async #land(key: K, batch: Batch<K, V>): Promise<V | undefined> {
    try {
      return (await batch.values).get(key);
    } finally {
      this.#keys -= 1;
      if (this.#flights.get(key)?.batch === batch) this.#flights.delete(key);
    }
  }

  #newBatch(): Batch<K, V> {
    const { read, gatherMs, clock } = this.#options;
    const keys: K[] = [];
    let begin = (_values: Promise<ReadonlyMap<K, V>>) => {};
    const values = new Promise<ReadonlyMap<K, V>>((resolve) => {
      begin = resolve;
    });
    const send = () => {
      cancel();
      if (batch.sent) return;
      batch.sent = true;
      if (this.#open === batch) this.#open = undefined;
      begin(read(keys));
    };
    const batch: Batch<K, V> = { keys, values, send, sent: false };
    const cancel = clock.after(gatherMs, send);
    this.#open = batch;
    return batch;
  }
}
