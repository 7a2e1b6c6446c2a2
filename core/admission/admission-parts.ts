/** What the core needs to let players in one after the other, from its settings. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { CoreConfig } from "../config.ts";
import type { Database } from "../db/database.ts";
import type { Registry } from "../regions/registry.ts";
import { Admission } from "./admission.ts";
import { AdmissionMetrics } from "./admission-metrics.ts";
import { AdmissionRedis } from "./admission-redis.ts";
import { noHolds, noMirror } from "./no-redis.ts";
import type { Openings } from "./openings.ts";
import { PlayerStandings } from "./player-standing.ts";
import { RedisQueueMirror } from "./queue-mirror.ts";
import { QueueTokens } from "./queue-token.ts";
import { RedisSeatHolds } from "./seat-holds.ts";
import { WaitingRecord } from "./waiting-record.ts";

export interface AdmissionPartsDeps {
  readonly registry: Registry;
  readonly database: Database;
  readonly openings: Openings;
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface AdmissionParts {
  readonly admission: Admission;
  /** In the order of their start. */
  readonly parts: readonly Part[];
}

export function createAdmission(config: CoreConfig, deps: AdmissionPartsDeps): AdmissionParts {
  const { registry, database, openings, random, clock, log, metrics } = deps;
  const common = { clock, log, metrics };
  const redis = new AdmissionRedis({ url: config.ADMISSION_REDIS_URL, ...common });
  const record = new WaitingRecord({ database, clock });
  const mirror =
    redis.queue &&
    new RedisQueueMirror({
      connection: redis.queue,
      all: () => admission.claims(),
      onLost: () => admission.forgetReports(),
      lastWaitedMs: () => record.lastWaitedMs(),
      ...common,
    });
  const perSecond = config.ADMISSIONS_PER_SECOND;
  const admission = new Admission({
    settings: {
      classes: config.ADMISSION_CLASSES,
      rate: { perSecond, burst: config.ADMISSIONS_BURST },
      waitingMax: config.QUEUE_MAX,
      pollsPerSecondMax: config.QUEUE_POLLS_PER_SECOND,
    },
    headroom: config.ADMISSION_HEADROOM,
    playersMax: config.PLAYERS_MAX,
    registry,
    standings: new PlayerStandings({ database, clock }),
    tokens: new QueueTokens(config.MASTER_KEY),
    mirror: mirror ?? noMirror,
    record,
    holds: redis.seats ? new RedisSeatHolds({ connection: redis.seats, ...common }) : noHolds,
    openings,
    clock,
    random,
    log,
    metrics: new AdmissionMetrics(metrics),
  });
  return { admission, parts: [redis, ...(mirror ? [mirror] : []), admission] };
}
