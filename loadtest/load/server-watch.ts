/** What the core tells its operators of the regions, asked again and again while a load runs. */
import { callOps, type OpsClientOptions } from "../../core/ops/cli-client.ts";
import { type Cancel, type Clock, sleep } from "../../shared/clock.ts";
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import type { RegionLoad } from "./summary.ts";

const PERIOD_MS = 1_000;
/** Shorter than the period: an answer belongs to its moment. */
const DEADLINE_MS = 900;

export class ServerWatch {
  readonly #access: OpsClientOptions | undefined;
  readonly #clock: Clock;
  #cancel: Cancel = () => {};
  #asking: Promise<void> | undefined;
  #last: StatusAnswer | undefined;
  #atMs = Number.NEGATIVE_INFINITY;

  constructor(access: OpsClientOptions | undefined, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  /** @throws when the operators' port can't be asked at all */
  async start(): Promise<void> {
    if (!this.#access) return;
    await this.#ask(PERIOD_MS * 10);
    this.#cancel = this.#clock.every(PERIOD_MS, () => {
      // A core that is down or late leaves a gap in the plots, which is what there is to show.
      this.#asking ??= this.#ask(DEADLINE_MS)
        .catch(() => {})
        .finally(() => {
          this.#asking = undefined;
        });
    });
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#asking;
  }

  /** The last answer, if it is of the last two periods. */
  get status(): StatusAnswer | undefined {
    const isFresh = this.#clock.monotonicMs() - this.#atMs <= 2 * PERIOD_MS;
    return isFresh ? this.#last : undefined;
  }

  get regions(): RegionLoad[] {
    return this.status ? regionLoads(this.status) : [];
  }

  get build(): string | undefined {
    return this.#last?.build;
  }

  /** Waits for a status that satisfies. @returns whether one came in time */
  async until(
    is: (status: StatusAnswer) => boolean,
    { withinMs, signal }: { readonly withinMs: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const endMs = this.#clock.monotonicMs() + withinMs;
    while (!signal.aborted) {
      if (this.status && is(this.status)) return true;
      if (this.#clock.monotonicMs() >= endMs) return false;
      await sleep(this.#clock, PERIOD_MS / 4, signal);
    }
    return false;
  }

  async #ask(deadlineMs: number): Promise<void> {
    if (!this.#access) return;
    const call = { path: "/ops/status", answer: StatusAnswer, deadlineMs };
    this.#last = await callOps(this.#access, call);
    this.#atMs = this.#clock.monotonicMs();
  }
}

/** Pure. */
export function regionLoads({ regions }: Pick<StatusAnswer, "regions">): RegionLoad[] {
  return regions.map(({ regionId, state, waiting, nodes }) => {
    const live = nodes.filter((node) => node.state !== "down");
    const sum = (of: (node: (typeof live)[number]) => number) =>
      live.reduce((total, node) => total + of(node), 0);
    return {
      regionId,
      state,
      players: sum(({ connected }) => connected),
      capacity: sum(({ capacity }) => capacity),
      waiting,
      rooms: sum(({ rooms }) => rooms),
      nodes: live.length,
      builds: [...new Set(live.map(({ build }) => build))],
      tickLatenessP99Ms: Math.max(0, ...live.map((node) => node.eventLoopDelayP99Ms)),
    };
  });
}

/** Rooms of which no other node has a whole copy. Pure. */
export function unprotectedRooms({ regions }: Pick<StatusAnswer, "regions">): number {
  return regions
    .flatMap(({ nodes }) => nodes)
    .filter(({ state }) => state !== "down")
    .reduce((sum, { replication }) => sum + (replication?.unprotectedRooms ?? 0), 0);
}
