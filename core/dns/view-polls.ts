/**
 * The core's side of the name servers' view: each responder asks with the version that it has, and is
 * answered when there is another, or after `VIEW_WAIT_MS` as a sign of life. So a drain or a fence is in
 * the answers within a tick and a way over the link, and the core does nothing for a query.
 *
 * A core that has just started has heard nobody yet. A view of that moment would empty all answers, so
 * there is none before each region was heard, or has had the time for it.
 */
import type { Cancel, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { NameServerId } from "../../shared/link/peer.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Candidates } from "../gslb/candidates.ts";
import type { Coordinates } from "../gslb/great-circle.ts";
import type { RegistryState } from "../regions/registry-step.ts";
import { type DnsView, VIEW_WAIT_MS, viewOf } from "./view.ts";

/** Also the least between two answers to one responder: loads change with every heartbeat. */
const TICK_MS = 50;
/** One for each name server and a few that were cut off; past it a question is refused. */
const WAITING_MAX = 64;
/** Of one name server: what it was cut off from ends within `VIEW_WAIT_MS`, and the others keep their places. */
const WAITING_OF_ONE_MAX = 8;
const RETRY_AFTER_MS = 1_000;

export interface ViewPollsOptions {
  /** Another object whenever anything of them has changed. */
  readonly regions: () => RegistryState;
  readonly candidates: Candidates;
  /** Where the core is. */
  readonly core: () => Coordinates;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

interface Waiting {
  readonly nameServer: NameServerId;
  readonly after: string | undefined;
  readonly untilMs: number;
  readonly answer: (view: DnsView) => void;
  readonly refuse: (why: string) => void;
}

export class ViewPolls implements Part {
  readonly name = "name servers";
  readonly #options: ViewPollsOptions;
  readonly #answers: Counter<"outcome">;
  readonly #waiting = new Set<Waiting>();
  #of: RegistryState | undefined;
  #view: DnsView | undefined;
  #cancel: Cancel | undefined;
  #stopping = false;

  constructor(options: ViewPollsOptions) {
    const { metrics } = options;
    this.#options = options;
    this.#answers = new Counter({
      name: "meridian_dns_view_answers_total",
      help: "Questions of name servers for their view: changed, unchanged, or refused.",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    const waiting = this.#waiting;
    new Gauge({
      name: "meridian_dns_name_servers_waiting",
      help: "Name servers that wait for a change of their view: all of them, nearly always.",
      registers: [metrics],
      collect() {
        this.set(waiting.size);
      },
    });
  }

  /** @throws {MeridianError} `unavailable`: too many wait, no region was heard yet, or the core stops */
  poll(nameServer: NameServerId, after: string | undefined): Promise<DnsView> {
    if (this.#stopping) return Promise.reject(this.#refusal("The core stops."));
    const own = [...this.#waiting].filter((waiting) => waiting.nameServer === nameServer);
    if (own.length >= WAITING_OF_ONE_MAX || this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(this.#refusal("Too many name servers wait."));
    }
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + VIEW_WAIT_MS;
    this.#cancel ??= clock.every(TICK_MS, () => this.#tick());
    return new Promise((resolve, reject) => {
      this.#waiting.add({
        nameServer,
        after,
        untilMs,
        answer: resolve,
        refuse: (why) => reject(this.#refusal(why)),
      });
    });
  }

  /** Nobody is let wait for a core that is about to go: responders would hold up its stop. */
  async drain(): Promise<void> {
    this.#stopping = true;
    for (const waiting of this.#waiting) waiting.refuse("The core stops.");
    this.#waiting.clear();
    this.#rest();
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const view = this.#current();
    for (const waiting of this.#waiting) {
      const changed = view !== undefined && view.version !== waiting.after;
      if (!changed && nowMs < waiting.untilMs) continue;
      this.#waiting.delete(waiting);
      if (!view) {
        waiting.refuse("Not every region was heard yet.");
        continue;
      }
      this.#answers.inc({ outcome: changed ? "changed" : "unchanged" });
      waiting.answer(view);
    }
    if (this.#waiting.size === 0) this.#rest();
  }

  #rest(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #current(): DnsView | undefined {
    const { regions: regionsNow, candidates, core } = this.#options;
    const regions = regionsNow();
    if (this.#view === undefined && !allHeard(regions)) return undefined;
    if (this.#view === undefined || regions !== this.#of) {
      this.#of = regions;
      this.#view = viewOf({ core: core(), regions, candidates: candidates.for({}) });
    }
    return this.#view;
  }

  #refusal(message: string): MeridianError {
    this.#answers.inc({ outcome: "refused" });
    return new MeridianError("unavailable", { message, retryAfterMs: RETRY_AFTER_MS });
  }
}

/** Whether every region has told of itself, or has had the time for it. */
function allHeard(regions: RegistryState): boolean {
  return [...regions.values()].every(
    ({ nodes, unheardUntilMs }) => nodes.size > 0 || unheardUntilMs === undefined,
  );
}
