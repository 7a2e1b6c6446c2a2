/**
 * Tells the core what became of nodes whose rooms this one has copies of, at once and unasked: a stream of copies
 * that breaks is the first sign of a node's end, long before heartbeats are missed.
 *
 * A broken stream alone is told nobody. The node is looked at, again and again for `WATCH_MS` while it answers (a
 * process that ends closes its connections one after the other), and only what else is seen is told: each once, and
 * again only after it has answered. A stream that flaps prolongs the watch and starts no other; a node is looked at
 * once per `AGAIN_MS` and told of at most once per `TELL_PERIOD_MS`.
 */
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { Evidence, NodeAddress, Saw } from "../../shared/protocol/failover.ts";
import { Done } from "../../shared/protocol/link.ts";
import type { Witness } from "./witness.ts";

const WATCH_MS = 2_000;
const AGAIN_MS = 250;
const TELL_PERIOD_MS = 1_000;
/** Nodes that are watched at a time; of one more the core hears by its missing heartbeats. */
const WATCHED_MAX = 256;
const DEADLINE_MS = 750;
const ATTEMPTS = 3;
const RETRY_MS = 100;

export interface EvidenceOptions {
  readonly client: LinkClient;
  readonly coreAddress: string;
  /** This node. */
  readonly nodeId: NodeId;
  readonly witness: Pick<Witness, "look">;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface Watched {
  untilMs: number;
  /** What the core was told last, and the node has not answered since. */
  told: Saw | undefined;
  toldMs: number;
}

export class EvidencePush {
  readonly #options: EvidenceOptions;
  readonly #told: Counter<"saw" | "outcome">;
  readonly #watched = new Map<NodeId, Watched>();
  readonly #stopped = new AbortController();

  constructor(options: EvidenceOptions) {
    this.#options = options;
    this.#told = new Counter({
      name: "meridian_region_evidence_total",
      help: "What the core was told of other nodes, unasked: taken, or lost after several attempts.",
      labelNames: ["saw", "outcome"],
      registers: [options.metrics],
    });
  }

  /** A stream of copies from that node broke, without a goodbye. */
  ownerGone(about: NodeAddress): void {
    if (this.#stopped.signal.aborted) return;
    const untilMs = this.#options.clock.monotonicMs() + WATCH_MS;
    const known = this.#watched.get(about.nodeId);
    if (known) {
      known.untilMs = untilMs;
      return;
    }
    if (this.#watched.size >= WATCHED_MAX) return;
    const watched = { untilMs, told: undefined, toldMs: Number.NEGATIVE_INFINITY };
    this.#watched.set(about.nodeId, watched);
    void this.#watch(about, watched).finally(() => this.#watched.delete(about.nodeId));
  }

  /** Nodes that are watched at this moment. */
  get watching(): number {
    return this.#watched.size;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Never rejects. */
  async #watch(about: NodeAddress, watched: Watched): Promise<void> {
    const { clock, witness } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted && clock.monotonicMs() < watched.untilMs) {
      // Too many looks are under way then: the next may have its turn.
      const saw = await witness.look(about).catch(() => undefined);
      if (signal.aborted) return;
      if (saw === "answers") watched.told = undefined;
      else if (saw && this.#isNews(saw, watched)) await this.#tell(about, saw, watched);
      // It does not get any worse; until the watch is over, other streams of that node add nothing.
      const gone = watched.told === "refused";
      await sleep(clock, gone ? watched.untilMs - clock.monotonicMs() : AGAIN_MS, signal);
    }
  }

  #isNews(saw: Saw, { told, toldMs }: Watched): boolean {
    if (told === saw) return false;
    const worse = told === "silent" && saw === "refused";
    return worse || this.#options.clock.monotonicMs() - toldMs >= TELL_PERIOD_MS;
  }

  async #tell(about: NodeAddress, saw: Evidence["saw"], watched: Watched): Promise<void> {
    const { nodeId, log, clock } = this.#options;
    const evidence: Evidence = { nodeId, about, saw };
    log.warn(
      { about, saw, runbook: "region-evidence" },
      "another node may be gone: the core is told",
    );
    watched.told = saw;
    watched.toldMs = clock.monotonicMs();
    const taken = await this.#push(evidence);
    this.#told.inc({ saw, outcome: taken ? "taken" : "lost" });
    // So that it is told in this watch still, should the core come back.
    if (!taken) watched.told = undefined;
  }

  /** Whether the core has it. */
  async #push(body: Evidence): Promise<boolean> {
    const { client, coreAddress: address, clock, random } = this.#options;
    const path = "/link/evidence";
    const call = { address, peer: { role: "core" } as const, path, body, answer: Done };
    for (let attempt = 1; attempt <= ATTEMPTS && !this.#stopped.signal.aborted; attempt += 1) {
      try {
        await client.call({ ...call, deadlineMs: DEADLINE_MS });
        return true;
      } catch (error) {
        // It is counted by its end; the core looks by itself, only later.
        if (isFailure(error) && !error.retryable) return false;
        await sleep(clock, RETRY_MS * (attempt + random()), this.#stopped.signal);
      }
    }
    return false;
  }
}
