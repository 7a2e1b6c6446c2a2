/** What the leader does for players: accounts, money and state, the queue, seats. */
import type { NodeId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { createAccountParts } from "../accounts/account-parts.ts";
import { GuestGate, type GuestLimits } from "../accounts/guest-gate.ts";
import { GuestLimit } from "../accounts/guest-limit.ts";
import { createAdmission } from "../admission/admission-parts.ts";
import { Openings } from "../admission/openings.ts";
import type { CoreConfig } from "../config.ts";
import { ArchiveWatch } from "../db/archive-watch.ts";
import { Housekeeping } from "../db/housekeeping.ts";
import { LocalCommits } from "../db/local-commits.ts";
import { StandbyReads } from "../db/stale-reads.ts";
import { EntryDesk } from "../join/entry-desk.ts";
import { JoinMetrics } from "../join/join-metrics.ts";
import { Joins } from "../join/joins.ts";
import { PlayerJoins } from "../join/player-joins.ts";
import { SeatFinder } from "../join/seat-finder.ts";
import { Seating } from "../join/seating.ts";
import { Seats } from "../join/seats.ts";
import { createPurchases } from "../purchases/purchase-parts.ts";
import { Scaling } from "../scaling/scaling.ts";
import { scalingSettingsOf } from "../scaling/scaling-settings.ts";
import { OwnerLives } from "../sync/owner-lives.ts";
import { PlayerStates } from "../sync/player-states.ts";
import { RefusedChanges } from "../sync/refused-changes.ts";
import { ReconnectionTokens } from "../tickets/reconnection-token.ts";
import { Reconciler } from "../value/reconciler.ts";
import { ValueAgain } from "../value/value-again.ts";
import { ValueOps } from "../value/value-ops.ts";
import type { Base, Common } from "./base.ts";
import { aliveOnly, type Regions } from "./regions.ts";

/** Each takes a connection to the database for some 2 ms; their nodes ask again. */
const PLAYER_LOADS_UNDER_WAY_MAX = 100;

export type Players = ReturnType<typeof createPlayers>;

/** @param common with the leader's clock */
export function createPlayers(config: CoreConfig, base: Base, regional: Regions, common: Common) {
  const { database, vault, random, tokens, calls, seen, fetches, outbound, callGate } = base;
  const { registry, evictions, ways, regions, directory, arrivals, watch } = regional;
  const { clock, metrics } = common;
  const { profiles } = seen;
  const gate = new GuestGate(guestLimits(config), common);
  const people = createAccountParts(config, {
    database,
    tokens,
    evictions,
    profiles,
    fetches,
    outbound,
    random,
    ...common,
  });
  const value = new ValueOps({ database, clock, metrics });
  const refused = new RefusedChanges({ database, ...common });
  const states = new PlayerStates({
    database,
    refused,
    lives: new OwnerLives((nodeId) => registry.node(nodeId)?.node, clock),
    loadGate: callGate("player_loads", PLAYER_LOADS_UNDER_WAY_MAX),
    coreTerm: () => registry.coreTerm,
    wanted(nodeId, player) {
      const node = aliveOnly(registry.node(nodeId)?.node);
      // The load that waits says it again.
      if (node) calls.wanted(node, player).catch(() => undefined);
    },
    ...common,
  });
  const valueAgain = new ValueAgain({ database, clock, metrics });
  const purchases = createPurchases(config, { database, fetches, outbound, ...common });
  const staleReads = new StandbyReads({
    url: config.DATABASE_STANDBY_URL,
    lagMaxMs: config.DATABASE_STANDBY_LAG_MS,
    primary: database,
    ...common,
  });
  const reconciler = new Reconciler({
    database,
    staleReads,
    periodMs: config.RECONCILE_PERIOD_MS,
    ...common,
  });
  const openings = new Openings({ database, vault, random, clock });
  const { admission, parts: admissionParts } = createAdmission(config, {
    registry,
    database,
    openings,
    random: Math.random,
    ...common,
  });
  const scaling = new Scaling({
    registry,
    waitingOf: (regionId) => admission.rooms.queues.get(regionId)?.waiting ?? 0,
    headroom: config.ADMISSION_HEADROOM,
    ...scalingSettingsOf(config),
    ...common,
  });
  const reserveDeadlineMs = config.RESERVE_DEADLINE_MS;
  const onSilent = (nodeId: NodeId) => watch.callFailed(nodeId);
  const seats = new Seats({ calls, registry, reserveDeadlineMs, onSilent, ...common });
  const reconnections = new ReconnectionTokens(config.MASTER_KEY);
  const finder = new SeatFinder({ registry, directory, regions });
  const taking = { seats, directory, tokens, reconnections };
  const seating = new Seating({ ...taking, registry, database, evictions, clock });
  const joins = new Joins({
    ...taking,
    desk: new EntryDesk({
      admission,
      finder,
      seating,
      registry,
      gate: callGate("joins", config.JOINS_UNDER_WAY_MAX),
      ways,
      spillMs: config.ADMISSION_SPILL_MS,
    }),
    admission,
    seating,
    registry,
    finder,
    regions,
    returnGate: callGate("returns", config.RETURNS_UNDER_WAY_MAX),
    players: new PlayerJoins(
      { perSecond: config.JOINS_PER_PLAYER_PER_SECOND, burst: config.JOINS_PER_PLAYER_BURST },
      common,
    ),
    arrivals,
    onUnreachable: (playerId, nodeId) => watch.reported(playerId, nodeId),
    clock,
    metrics: new JoinMetrics(common),
  });
  const parts: readonly Part[] = [
    people.mails,
    new Housekeeping({ database: new LocalCommits(database), ...common }),
    new ArchiveWatch({ database, ...common }),
    { name: "refused changes", stop: () => refused.settled() },
    { name: "players' state", stop: () => states.stop() },
    staleReads,
    reconciler,
    openings,
    ...admissionParts,
    scaling,
  ];
  return {
    gate,
    people,
    value,
    valueAgain,
    refused,
    states,
    purchases,
    reconciler,
    openings,
    admission,
    scaling,
    joins,
    parts,
  };
}

function guestLimits(config: CoreConfig): GuestLimits {
  return {
    made: new GuestLimit(
      { perSecond: config.GUESTS_PER_PREFIX_PER_SECOND, burst: config.GUESTS_PER_PREFIX_BURST },
      { perSecond: config.GUESTS_PER_SECOND, burst: config.GUESTS_BURST },
    ),
    loggedIn: new GuestLimit(
      {
        perSecond: config.GUEST_LOG_INS_PER_PREFIX_PER_SECOND,
        burst: config.GUEST_LOG_INS_PER_PREFIX_BURST,
      },
      { perSecond: config.GUEST_LOG_INS_PER_SECOND, burst: config.GUEST_LOG_INS_BURST },
    ),
  };
}
