/** What brings players' state from the core and back: put together, with its settings and deadlines. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { failuresIn } from "../../shared/errors.ts";
import { Gathering } from "../../shared/gathering.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkCall, LinkClient } from "../../shared/link/link-client.ts";
import type { Metrics } from "../../shared/metrics.ts";
import {
  BatchAnswer,
  CloseProducerAnswer,
  LOADS_PER_CALL_MAX,
  LoadAnswer,
  LoadManyAnswer,
  type LoadRequest,
} from "../../shared/protocol/player-state.ts";
import type { RegionConfig } from "../config.ts";
import { OrphanStreams } from "../outbox/orphan-streams.ts";
import { Outbox } from "../outbox/outbox.ts";
import type { Streams } from "../outbox/outbox-streams.ts";
import { PlayerStates } from "../players/player-states.ts";

/** The core answers within less, unless its database is in trouble. */
const BATCH_DEADLINE_MS = 6_000;
const CLOSE_DEADLINE_MS = 3_000;
const LOAD_DEADLINE_MS = 2_000;
/** A room that goes on here asks for all of its players in one turn of the loop, and again after a wait. */
const LOADS_GATHER_MS = 3;
/** What is not at the core by then stays in Redis, for another node or this one's next life. */
const DRAIN_DEADLINE_MS = 3_000;

export interface StatePartsOptions {
  readonly config: RegionConfig;
  readonly nodeId: NodeId;
  readonly streams: Streams;
  readonly client: LinkClient;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class StateParts {
  readonly outbox: Outbox;
  readonly players: PlayerStates;
  readonly #orphans: OrphanStreams;
  readonly #options: StatePartsOptions;

  constructor(options: StatePartsOptions) {
    const { config, nodeId, streams, client, clock, random, log, metrics } = options;
    this.#options = options;
    const core = { address: config.CORE_LINK_ADDRESS, peer: { role: "core" } } as const;
    const call = <T>(path: string, deadlineMs: number, answer: LinkCall<T>["answer"]) => {
      return (body: unknown) => client.call({ ...core, path, body, answer, deadlineMs });
    };
    const common = { nodeId, clock, log, metrics };
    this.outbox = new Outbox({
      ...common,
      streams,
      calls: {
        batch: call("/link/batch", BATCH_DEADLINE_MS, BatchAnswer),
        close: call("/link/outbox/close", CLOSE_DEADLINE_MS, CloseProducerAnswer),
      },
      backlogItemsMax: config.OUTBOX_ITEMS_MAX,
      backlogBytesMax: config.OUTBOX_BYTES_MAX,
      random,
    });
    const loadMany = call("/link/players/load-many", LOAD_DEADLINE_MS, LoadManyAnswer);
    const loads = new Gathering<LoadRequest, LoadAnswer>({
      gatherMs: LOADS_GATHER_MS,
      mostItems: LOADS_PER_CALL_MAX,
      alone: call("/link/players/load", LOAD_DEADLINE_MS, LoadAnswer),
      together: async (requests) => {
        const { answers } = await loadMany({ nodeId, loads: requests });
        return failuresIn(answers);
      },
      clock,
    });
    this.players = new PlayerStates({
      ...common,
      outbox: this.outbox,
      load: (request) => loads.ask(request),
    });
    this.#orphans = new OrphanStreams({ ...common, outbox: this.outbox, streams });
    streams.onBack(() => {
      this.#orphans.redisIsBack();
      // Never rejects: what can't be asked is found out by the next append.
      void this.outbox.redisIsBack();
    });
  }

  /** Before those that change players' state. */
  parts(): Part[] {
    const { outbox } = this;
    return [
      {
        name: outbox.name,
        start: () => outbox.start(),
        drain: () => this.flush(),
        stop: () => outbox.stop(),
      },
      this.#orphans,
    ];
  }

  /** Brings what was changed to the core, as far as that can be done in a moment. */
  async flush(): Promise<void> {
    const { clock, log } = this.#options;
    const late = new AbortController();
    const cancel = clock.after(DRAIN_DEADLINE_MS, () => late.abort());
    const done = await this.outbox.drained(late.signal);
    cancel();
    if (done) return;
    log.warn(
      { ...this.outbox.backlog, runbook: "region-outbox" },
      "players' changes stay in redis: another node sends them on, or the next life of this one",
    );
  }
}
