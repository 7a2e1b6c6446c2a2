/**
 * What this node sees of other nodes: the core asks when one may be gone, because two who look from different
 * places are hardly wrong together.
 *
 * One look at a node at a time, shared by all who ask meanwhile; `LOOKS_MAX` looks in all, and `WAITING_MAX` wait.
 */
import { BoundedQueue } from "../../shared/bounded-queue.ts";
import type { Clock } from "../../shared/clock.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { LOOK_DEADLINE_MS, look } from "../../shared/link/look.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { NodeAddress, Saw } from "../../shared/protocol/failover.ts";

const LOOKS_MAX = 16;
const WAITING_MAX = 256;
/** A look, and the wait for one before it; whoever asks has given up by then. */
const DEADLINE_MS = 2 * LOOK_DEADLINE_MS;

export interface WitnessOptions {
  readonly identity: Pick<LinkIdentity, "current">;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export class Witness {
  readonly #options: WitnessOptions;
  readonly #queue: BoundedQueue;
  readonly #seen: Counter<"saw">;
  /** Looks under way and those that wait, by node and address. */
  readonly #looks = new Map<string, Promise<Saw>>();

  constructor(options: WitnessOptions) {
    const { clock, metrics } = options;
    this.#options = options;
    this.#queue = new BoundedQueue({
      name: "looks at other nodes",
      runningMax: LOOKS_MAX,
      waitingMax: WAITING_MAX,
      deadlineMs: DEADLINE_MS,
      clock,
    });
    this.#seen = new Counter({
      name: "meridian_region_looks_total",
      help: "Looks at other nodes that may be gone, by what was seen: refused, silent, answers.",
      labelNames: ["saw"],
      registers: [metrics],
    });
  }

  /**
   * What is seen of a node at this moment.
   * @throws {MeridianError} `unavailable` when too many looks wait; `timeout`
   */
  look({ nodeId, linkAddress }: NodeAddress): Promise<Saw> {
    const key = `${nodeId} ${linkAddress}`;
    const underWay = this.#looks.get(key);
    if (underWay) return underWay;
    const looking = this.#queue
      .run(() => this.#look(linkAddress))
      .finally(() => this.#looks.delete(key));
    this.#looks.set(key, looking);
    return looking;
  }

  async #look(address: string): Promise<Saw> {
    const { identity, clock } = this.#options;
    const saw = await look({ address, identity, clock });
    this.#seen.inc({ saw });
    return saw;
  }
}
