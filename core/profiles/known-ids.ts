/**
 * The ids and names that exist, as a filter: a look-up of a player who does not costs no query.
 *
 * It is filled from the database in chunks, in the order of ids, and until it is full lets everything pass.
 * Who is made meanwhile or later comes by the changes, from whichever core process: what they told before the
 * filling began is in what it reads. When they may have missed some, it lets everything pass and is filled
 * anew. It is filled anew each hour too, to lose those who are gone, and when it holds more than it was made
 * for. Only look-ups by id or name ask it: nobody who holds a token or a ticket is ever measured by it.
 */
import type { Logger } from "pino";
import { type Cancel, type Clock, sleep } from "../../shared/clock.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Database } from "../db/database.ts";
import type { RandomBytes } from "../tickets/master-key.ts";
import { Bloom } from "./bloom.ts";
import type { PlayerChange } from "./changes-step.ts";
import type { ChangeListener } from "./player-changes.ts";
import { estimatePlayers, selectNextPlayers } from "./profile-store.ts";

export interface KnownIdsLimits {
  /** Players of one statement: 2,000 take about 5 ms of hashing, for which nothing else runs. */
  readonly chunkRows: number;
  readonly restMs: number;
  /** Made for so many keys at least, so that a small world need not fill it anew as it grows. */
  readonly keysMin: number;
  /** And at most: 512 MB. Past it more look-ups pass that find nobody. */
  readonly keysMax: number;
  readonly renewMs: number;
}

const LIMITS: KnownIdsLimits = {
  chunkRows: 2_000,
  restMs: 10,
  keysMin: 100_000,
  keysMax: 256_000_000,
  renewMs: 3_600_000,
};
/** An id and a name. */
const KEYS_PER_PLAYER = 2;
/** A filter is made for so many times what there is. */
const GROWTH = 2;
const CHECK_PERIOD_MS = 60_000;
const RETRY_MS = 5_000;
const NIL = "00000000-0000-0000-0000-000000000000";

export interface KnownIdsDeps {
  readonly database: Database;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly limits?: KnownIdsLimits;
}

export class KnownIds implements Part, ChangeListener {
  readonly name = "known ids";
  readonly #deps: KnownIdsDeps;
  readonly #limits: KnownIdsLimits;
  readonly #stopping = new AbortController();
  /** Undefined until it is full. */
  #full: Bloom | undefined;
  #filling: Bloom | undefined;
  #fullSinceMs = 0;
  /** Grows by one for each filling that is wanted: one that was begun before is given up. */
  #wanted = 0;
  #running: Promise<void> | undefined;
  #cancel: Cancel = () => {};

  constructor(deps: KnownIdsDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? LIMITS;
    this.#gauge("full", "1 while the filter of known ids is full and stops look-ups.", () =>
      this.full ? 1 : 0,
    );
    this.#gauge("keys", "Ids and names in the filter.", () => this.#full?.size ?? 0);
    this.#gauge("bytes", "Memory of the filter.", () => this.#full?.bytes ?? 0);
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(CHECK_PERIOD_MS, () => this.#renewWhenDue());
  }

  async stop(): Promise<void> {
    this.#cancel();
    this.#stopping.abort();
    await this.#running;
  }

  get full(): boolean {
    return this.#full !== undefined;
  }

  /** Whether there may be such a player. A "no" is certain for whoever was made before the last change told. */
  mayHaveId(id: PlayerId): boolean {
    return this.#full?.has(idKey(id)) ?? true;
  }

  /** As `mayHaveId`. */
  mayHaveName(name: string): boolean {
    return this.#full?.has(nameKey(name)) ?? true;
  }

  changed(changes: readonly PlayerChange[]): void {
    for (const { playerId, name } of changes) {
      if (name === null) continue;
      for (const filter of [this.#full, this.#filling]) addPlayer(filter, playerId, name);
    }
  }

  missed(): void {
    this.#full = undefined;
    this.renew();
  }

  /** Fills a new filter, while the one there is goes on. */
  renew(): void {
    this.#wanted += 1;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  #renewWhenDue(): void {
    if (!this.#full) return;
    const aged = this.#deps.clock.monotonicMs() - this.#fullSinceMs >= this.#limits.renewMs;
    const outgrown = this.#full.size > this.#full.capacity;
    if (aged || (outgrown && this.#full.capacity < this.#limits.keysMax)) this.renew();
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#stopping;
    let done = 0;
    while (done !== this.#wanted && !signal.aborted) {
      const wanted = this.#wanted;
      try {
        const filled = await this.#fill(wanted);
        if (!filled) continue;
        this.#full = filled;
        this.#fullSinceMs = clock.monotonicMs();
        done = wanted;
      } catch (err) {
        log.warn({ err, runbook: "core-profiles" }, "can't fill the filter of known ids");
        await sleep(clock, RETRY_MS, signal);
      } finally {
        this.#filling = undefined;
      }
    }
  }

  /** @returns undefined when another filling is wanted by now, or none any more */
  async #fill(wanted: number): Promise<Bloom | undefined> {
    const { database, clock } = this.#deps;
    const { chunkRows, restMs } = this.#limits;
    const { signal } = this.#stopping;
    const filter = await this.#newFilter();
    this.#filling = filter;
    for (let after = NIL; ; await sleep(clock, restMs, signal)) {
      const rows = await selectNextPlayers(database, after, chunkRows);
      if (wanted !== this.#wanted || signal.aborted) return undefined;
      for (const { id, name } of rows) addPlayer(filter, id, name);
      const last = rows.at(-1);
      if (!last || rows.length < chunkRows) return filter;
      after = last.id;
    }
  }

  async #newFilter(): Promise<Bloom> {
    const { database, random } = this.#deps;
    const { keysMin, keysMax } = this.#limits;
    const estimate = (await estimatePlayers(database)) * KEYS_PER_PLAYER;
    const keys = Math.max(estimate, this.#full?.size ?? 0) * GROWTH;
    return new Bloom(Math.min(keysMax, Math.max(keysMin, keys)), random(4).readUInt32BE());
  }

  #gauge(what: "full" | "keys" | "bytes", help: string, value: () => number): void {
    new Gauge({
      name: `meridian_known_ids_${what}`,
      help,
      registers: [this.#deps.metrics],
      collect() {
        this.set(value());
      },
    });
  }
}

function addPlayer(filter: Bloom | undefined, id: PlayerId, name: string): void {
  filter?.add(idKey(id));
  filter?.add(nameKey(name));
}

const idKey = (id: PlayerId) => `i${id}`;
const nameKey = (name: string) => `n${name}`;
