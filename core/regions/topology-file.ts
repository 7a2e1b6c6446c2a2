/**
 * Keeps the core's topology as its file says, without a restart: the file is looked at every second, and at
 * once when somebody asks. What it says is taken as a whole or refused as a whole; what is in force stays in
 * force then, and a log line, a metric and the operators' status say why.
 *
 * A file that is met half-written is refused and read again when it has changed, which its writer does. One
 * that is right and can't be taken yet, because a region that is to go still has nodes, or the database is
 * away, is tried at each look until it can.
 */
import { statSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { TopologyStatus } from "../../shared/protocol/ops.ts";
import { loadTopology, type Topology } from "./topology.ts";

const LOOK_PERIOD_MS = 1_000;

export interface TopologyFileOptions {
  readonly path: string;
  /** What the core was started with. */
  readonly inForce: Topology;
  /** Takes another one into use. @throws when it can't; nothing has changed then */
  readonly take: (topology: Topology) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class TopologyFile implements Part {
  readonly name = "topology file";
  readonly #options: TopologyFileOptions;
  readonly #reloads: Counter<"outcome">;
  #inForce: Topology;
  #inForceSinceMs: number;
  /** What the file looked like when it was read last. */
  #print = "";
  /** Read, right, and not in use yet. */
  #waiting: Topology | undefined;
  #refused: TopologyStatus["refused"] = null;
  #looking: Promise<void> = Promise.resolve();
  #cancel: Cancel = () => {};

  constructor(options: TopologyFileOptions) {
    const { inForce, clock, metrics } = options;
    this.#options = options;
    this.#inForce = inForce;
    this.#inForceSinceMs = clock.nowMs();
    this.#reloads = new Counter({
      name: "meridian_topology_reloads_total",
      help: "Changes of the topology file: applied, or refused (once for each reason).",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    const refused = () => (this.#refused ? 1 : 0);
    new Gauge({
      name: "meridian_topology_refused",
      help: "1 while the topology file says what can't be taken into use.",
      registers: [metrics],
      collect() {
        this.set(refused());
      },
    });
  }

  start(): void {
    const look = () => void this.#look(false);
    // At once: the file may have changed while the database was waited for.
    look();
    this.#cancel = this.#options.clock.every(LOOK_PERIOD_MS, look);
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#looking;
  }

  get status(): TopologyStatus {
    const { path } = this.#options;
    return { file: path, inForceSinceMs: this.#inForceSinceMs, refused: this.#refused };
  }

  /** Reads the file, changed or not, and takes what it says into use if that can be. Never rejects. */
  reload(): Promise<void> {
    return this.#look(true);
  }

  /** One after the other: what was asked for meanwhile is found by a look of its own. */
  #look(evenUnchanged: boolean): Promise<void> {
    this.#looking = this.#looking.then(() => this.#lookNow(evenUnchanged));
    return this.#looking;
  }

  async #lookNow(evenUnchanged: boolean): Promise<void> {
    try {
      this.#read(evenUnchanged);
      if (this.#waiting) await this.#take(this.#waiting);
    } catch (err) {
      this.#refuse(err);
    }
  }

  #read(evenUnchanged: boolean): void {
    const { path } = this.#options;
    // Before the file is read: what is written meanwhile makes another print, which the next look meets.
    const print = printOf(path);
    if (print === this.#print && !evenUnchanged) return;
    this.#print = print;
    this.#waiting = undefined;
    this.#waiting = loadTopology(path);
  }

  async #take(topology: Topology): Promise<void> {
    const { take, clock, log } = this.#options;
    const changed = !isDeepStrictEqual(topology, this.#inForce);
    if (changed) await take(topology);
    this.#waiting = undefined;
    const wasRefused = this.#refused !== null;
    this.#refused = null;
    if (changed) {
      log.info(differences(this.#inForce, topology), "the topology file was taken into use");
      this.#inForce = topology;
      this.#inForceSinceMs = clock.nowMs();
      this.#reloads.inc({ outcome: "applied" });
    } else if (wasRefused) {
      log.info("the topology file says again what is in force");
    }
  }

  #refuse(err: unknown): void {
    const { clock, log } = this.#options;
    const reason = err instanceof Error ? err.message : String(err);
    // Once for each reason: one that waits is tried every second.
    if (this.#refused?.reason === reason) return;
    this.#refused = { sinceMs: this.#refused?.sinceMs ?? clock.nowMs(), reason };
    this.#reloads.inc({ outcome: "refused" });
    log.warn({ reason, runbook: "core-topology" }, "the topology file is refused");
  }
}

/** Changes whenever the file does: also when another takes its name with the size and time of this one. */
function printOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.ino} ${found.mtimeMs} ${found.ctimeMs} ${found.size}` : "no file";
}

/** For the log: which regions came, went, or are described otherwise. */
function differences(before: Topology, after: Topology) {
  const former = new Map(before.regions.map((region) => [region.id, region]));
  const ids = new Set(after.regions.map(({ id }) => id));
  return {
    added: after.regions.filter(({ id }) => !former.has(id)).map(({ id }) => id),
    removed: before.regions.filter(({ id }) => !ids.has(id)).map(({ id }) => id),
    changed: after.regions
      .filter((region) => former.has(region.id))
      .filter((region) => !isDeepStrictEqual(region, former.get(region.id)))
      .map(({ id }) => id),
  };
}
