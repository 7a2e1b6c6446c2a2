/**
 * The whole core, wired top to bottom. Of its processes one leads (`leadership/`): what every one has starts first,
 * and the leader's parts when it is elected.
 *
 *     players ─▶ public server ─▶ accounts · joins ─▶ registry, tickets, database ─▶ seats ─▶ nodes
 *     nodes ─▶ link server ─▶ registry, states  operators ─▶ private server ─▶ registry, operators
 */
import type { Part } from "../shared/lifecycle.ts";
import type { CoreConfig } from "./config.ts";
import type { ByHand } from "./failover/by-hand.ts";
import type { Serving } from "./http/serving.ts";
import { leaderClock } from "./leadership/leader-clock.ts";
import { Leadership } from "./leadership/leadership.ts";
import { AuditLog } from "./ops/audit-log.ts";
import { Operators } from "./ops/operators.ts";
import type { TopologyFile } from "./regions/topology-file.ts";
import { type CoreDeps, coreName, createBase } from "./wiring/base.ts";
import { createPlayers } from "./wiring/players.ts";
import { createRegions } from "./wiring/regions.ts";
import {
  createLinkServing,
  createPrivateServing,
  createPublicServing,
  type ServerDeps,
} from "./wiring/servers.ts";

export interface Core {
  /** Of every core; `leadership` starts and stops the leader's. */
  readonly parts: readonly Part[];
  /** Of the leader. */
  readonly leaderParts: readonly Part[];
  readonly leadership: Leadership;
  /** Resolves, with why, when this process must end at once: another leads, or the database goes on elsewhere. */
  readonly ended: Promise<string>;
  readonly topologyFile: TopologyFile;
  readonly publicServing: Serving;
  readonly linkServing: Serving;
  readonly privateServing: Serving;
  readonly failovers: ByHand;
}

export function createCore(
  config: CoreConfig,
  deps: CoreDeps,
  inWords: (part: Part) => Part = (part) => part,
): Core {
  const base = createBase(config, deps);
  const { database, urgent, keyring, random, common } = base;
  const leading = { ...common, clock: leaderClock(common.clock, () => leadership) };
  const regional = createRegions(config, base, leading);
  const players = createPlayers(config, base, regional, leading);
  const audit = new AuditLog({ database, ...common });
  const bootstrapToken = config.OPERATOR_TOKEN;
  const operators = new Operators({ database, audit, random, bootstrapToken, ...common });

  const servers: ServerDeps = { config, base, regional, players, leadership: () => leadership };
  const publicServing = createPublicServing(servers);
  const linkServing = createLinkServing(servers);
  const privateServing = createPrivateServing({ ...servers, operators, publicServing });

  const leaderParts: readonly Part[] = [
    { name: "connections to the database", start: () => database.warmUp() },
    // Rotated perhaps since this process has read them.
    { name: "signing keys of today", start: () => keyring.start() },
    audit,
    operators,
    ...regional.parts,
    ...regional.deciding,
    ...players.parts,
  ];
  const leadership = new Leadership({
    nameOf: () => coreName(config, privateServing.port),
    database,
    connections: urgent,
    parts: leaderParts.map(inWords),
    random: Math.random,
    ...common,
  });
  const parts: readonly Part[] = [
    // The private server comes first: health answers while the database is still waited for.
    privateServing,
    ...base.parts,
    leadership,
    // A follower's refuse all: at an election there is nothing left that could fail, and nothing to load.
    linkServing,
    // Behind the link server, so that it lets the waiting go before that one waits for them.
    regional.viewPolls,
    publicServing,
    // Behind the public server in the same way: streams never end by themselves.
    {
      name: "connections of the queue",
      async drain() {
        players.admission.letGo();
      },
    },
  ];
  return {
    parts: parts.map(inWords),
    leaderParts,
    leadership,
    ended: Promise.race([leadership.ended, database.moved]),
    topologyFile: regional.topologyFile,
    publicServing,
    linkServing,
    privateServing,
    failovers: regional.failovers,
  };
}
