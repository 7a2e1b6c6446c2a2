/** What the core needs to let players in one after the other, from its settings. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { CoreConfig } from "../config.ts";
import type { Database } from "../db/database.ts";
import type { Registry } from "../regions/registry.ts";
import { Admission } from "./admission.ts";
import { AdmissionMetrics } from "./admission-metrics.ts";
import { noHolds, noMirror } from "./no-redis.ts";
import { PlayerStandings } from "./player-standing.ts";
import { QueueTokens } from "./queue-token.ts";

export interface AdmissionPartsDeps {
  readonly registry: Registry;
  readonly database: Database;
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function createAdmission(config: CoreConfig, deps: AdmissionPartsDeps): Admission {
  const { registry, database, random, clock, log, metrics } = deps;
  const perSecond = config.ADMISSIONS_PER_SECOND;
  return new Admission({
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
    mirror: noMirror,
    record: { note: async () => undefined, waitedSince: async () => [] },
    holds: noHolds,
    clock,
    random,
    log,
    metrics: new AdmissionMetrics(metrics),
  });
}
