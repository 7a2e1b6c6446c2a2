/**
 * Tells which nodes are gone, and which are only cut off: what the core looks at, whom it asks, and what it
 * concludes. Pure: `(state, event, now) → [state, effects]`. `verdict.ts` has what counts as a proof.
 *
 * Time is the core's own monotonic clock only, and everything is counted from what arrived here. A core that stood
 * still or just started takes nobody's silence for its end before one grace of its own, and forgets what it was told
 * before. Looks begin long before the grace, so that the verdict stands when it is over.
 *
 * Health does not flap: whoever lapses often is taken for healthy again only after a longer and longer calm.
 */
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { Saw } from "../../shared/protocol/failover.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";
import {
  type HealthRecord,
  type HealthThresholds,
  healthAfter,
  healthyRecord,
  type NodeHealth,
} from "./node-health.ts";
import {
  type Place,
  type Sight,
  sightAfter,
  type VerdictThresholds,
  verdictOn,
} from "./verdict.ts";

export type { NodeHealth };

export interface WatchedNode {
  readonly nodeId: NodeId;
  readonly regionId: RegionId;
  /** Receipt of the last heartbeat, monotonic ms; of a node that was never heard, when it got known. */
  readonly heardMs: number;
  /** The last heartbeat came through another node. */
  readonly relayed: boolean;
  /** It has said that it ends: its silence is looked into late. */
  readonly leaving: boolean;
}

export type DetectorEvent =
  /**
   * All known nodes that are not fenced. `oneRegion`: the topology has no other region, which is not to be read from
   * who is known just after a start.
   */
  | { readonly type: "tick"; readonly nodes: readonly WatchedNode[]; readonly oneRegion?: boolean }
  /** What a look has shown: the core's own, or one of a node of that region, asked for or not. */
  | { readonly type: "saw"; readonly by: Place; readonly nodeId: NodeId; readonly saw: Saw }
  /** A player can't reach it. */
  | { readonly type: "reported"; readonly by: PlayerId; readonly nodeId: NodeId }
  /** A call to it was refused or got no answer in time. */
  | { readonly type: "callFailed"; readonly nodeId: NodeId }
  /** This core stood still. */
  | { readonly type: "paused" }
  | { readonly type: "fenced"; readonly nodeId: NodeId };

export type DetectorEffect =
  | { readonly type: "look"; readonly nodeId: NodeId }
  /** Ask one node of each of these regions to look. */
  | { readonly type: "ask"; readonly nodeId: NodeId; readonly regionIds: readonly RegionId[] }
  | { readonly type: "health"; readonly nodeId: NodeId; readonly health: NodeHealth }
  /** Told again after `downAgainMs` for as long as the verdict holds and the node is not fenced. */
  | { readonly type: "down"; readonly nodeId: NodeId; readonly because: "refused" | "silent" };

export interface DetectorThresholds extends VerdictThresholds, HealthThresholds {
  /** From one look at a doubted node to the next, ms. */
  readonly lookEveryMs: number;
  /** From one question to the witnesses to the next, ms. */
  readonly askEveryMs: number;
  /** Looks and questions for which there is a reason just now are no closer than this, ms. */
  readonly promptMs: number;
  /** Regions asked at once. */
  readonly witnessesMax: number;
  /** So many players who can't reach a node are a reason to look. */
  readonly reportsToLook: number;
  /** How long a player's report counts, ms. */
  readonly reportMs: number;
  /** A core that had no turn for so long stood still, ms. */
  readonly pauseMs: number;
  /** From one telling of a verdict to the next, ms. */
  readonly downAgainMs: number;
}

export const DETECTOR_DEFAULTS: DetectorThresholds = {
  lookAfterMs: 900,
  graceMs: GRACE_MS,
  freshMs: 2_000,
  aloneMs: 300,
  silentLooks: 2,
  lookEveryMs: 400,
  askEveryMs: 600,
  promptMs: 100,
  witnessesMax: 5,
  reportsToLook: 2,
  reportMs: 5_000,
  pauseMs: 1_000,
  calmMs: 1_000,
  calmMsMax: 16_000,
  lapsesMs: 60_000,
  downAgainMs: 1_000,
};

/** Of players' reports about one node, the newest. */
const REPORTS_MAX = 64;

interface Watch extends WatchedNode, HealthRecord {
  readonly sights: ReadonlyMap<Place, Sight>;
  readonly lookedMs: number;
  readonly askedMs: number;
  /** Where in the list of witnesses the next question begins: over time all are asked. */
  readonly asked: number;
  readonly reports: ReadonlyMap<PlayerId, number>;
  readonly downMs: number;
}

export interface DetectorState {
  readonly nodes: ReadonlyMap<NodeId, Watch>;
  /** When this core began to listen: silence counts from then on at most. */
  readonly sinceMs: number;
  readonly tickedMs: number;
  readonly oneRegion: boolean;
}

export type DetectorStep = readonly [DetectorState, readonly DetectorEffect[]];

/** @param nowMs monotonic */
export function initialDetector(nowMs: number): DetectorState {
  return { nodes: new Map(), sinceMs: nowMs, tickedMs: nowMs, oneRegion: false };
}

/** @param nowMs monotonic */
export function detectorStep(
  state: DetectorState,
  event: DetectorEvent,
  nowMs: number,
  thresholds: DetectorThresholds,
): DetectorStep {
  if (event.type === "paused") return [afterPause(state, nowMs), []];
  if (event.type === "tick") return onTick(state, event, nowMs, thresholds);
  const node = state.nodes.get(event.nodeId);
  if (!node) return [state, []];
  if (event.type === "fenced") return [without(state, event.nodeId), []];
  const moment = momentOf(state, nowMs, thresholds);
  const [next, effects] = onNews(node, event, moment);
  return [{ ...state, nodes: new Map(state.nodes).set(node.nodeId, next) }, effects];
}

/** What waited in its sockets meanwhile may be old: whoever is in doubt is looked at anew. */
function afterPause(state: DetectorState, nowMs: number): DetectorState {
  const nodes = [...state.nodes].map(([id, node]) => [id, { ...node, sights: new Map() }] as const);
  return { ...state, nodes: new Map(nodes), sinceMs: nowMs, tickedMs: nowMs };
}

function without(state: DetectorState, nodeId: NodeId): DetectorState {
  const nodes = new Map(state.nodes);
  nodes.delete(nodeId);
  return { ...state, nodes };
}

function onTick(
  state: DetectorState,
  { nodes: listed, oneRegion = false }: Extract<DetectorEvent, { type: "tick" }>,
  nowMs: number,
  thresholds: DetectorThresholds,
): DetectorStep {
  const stood = nowMs - state.tickedMs >= thresholds.pauseMs;
  const { nodes: before, sinceMs } = stood ? afterPause(state, nowMs) : state;
  const known = listed.map((one) => heard(before.get(one.nodeId), one, nowMs));
  const nodes = new Map(known.map((node) => [node.nodeId, node]));
  const moment = momentOf({ nodes, sinceMs, tickedMs: nowMs, oneRegion }, nowMs, thresholds);
  const effects: DetectorEffect[] = [];
  for (const node of known) {
    const [judged, happened] = judge(node, silenceOf(node, moment), moment);
    const [next, looks] = lookFurther(judged, moment);
    nodes.set(node.nodeId, next);
    effects.push(...happened, ...looks);
  }
  return [{ nodes, sinceMs, tickedMs: nowMs, oneRegion }, effects];
}

/** A heartbeat takes back whatever was seen before it. */
function heard(before: Watch | undefined, now: WatchedNode, nowMs: number): Watch {
  if (!before) return newWatch(now, nowMs);
  if (now.heardMs <= before.heardMs) return { ...before, ...now, heardMs: before.heardMs };
  const later = [...before.sights].filter(([, { atMs }]) => atMs > now.heardMs);
  return { ...before, ...now, sights: new Map(later) };
}

function newWatch(node: WatchedNode, nowMs: number): Watch {
  return {
    ...node,
    ...healthyRecord(nowMs),
    sights: new Map(),
    lookedMs: Number.NEGATIVE_INFINITY,
    askedMs: Number.NEGATIVE_INFINITY,
    asked: 0,
    reports: new Map(),
    downMs: Number.NEGATIVE_INFINITY,
  };
}

type News = Exclude<DetectorEvent, { type: "tick" | "paused" | "fenced" }>;
type Watched = readonly [Watch, readonly DetectorEffect[]];

function onNews(node: Watch, event: News, moment: Moment): Watched {
  const { lookEveryMs, reportsToLook } = moment.thresholds;
  if (event.type === "saw") return onSaw(node, event.by, event.saw, moment);
  if (event.type === "callFailed") return lookAgain(node, lookEveryMs, moment);
  const told = withReport(node, event.by, moment);
  return told.reports.size < reportsToLook ? [told, []] : lookAgain(told, lookEveryMs, moment);
}

function onSaw(node: Watch, by: Place, saw: Saw, moment: Moment): Watched {
  const { nowMs, thresholds } = moment;
  const sight = sightAfter(node.sights.get(by), saw, nowMs, thresholds.freshMs);
  const seen = { ...node, sights: new Map(node.sights).set(by, sight) };
  // A heartbeat may have come since the last tick: silence is judged at ticks only, which know the newest.
  const silentMs = Math.min(silenceOf(seen, moment), thresholds.graceMs - 1);
  const [judged, happened] = judge(seen, silentMs, moment);
  if (saw === "answers" || judged.health === "down") return [judged, happened];
  // What one side has seen the other one confirms at once; silence at the core is asked about in its turn.
  if (by === "core" && saw === "silent") return [judged, happened];
  const confirm = by === "core" ? askAgain : lookAgain;
  const [next, effects] = confirm(judged, thresholds.promptMs, moment);
  return [next, [...happened, ...effects]];
}

function withReport(node: Watch, by: PlayerId, { nowMs, thresholds }: Moment): Watch {
  const fresh = [...node.reports].filter(
    ([id, atMs]) => id !== by && nowMs - atMs <= thresholds.reportMs,
  );
  return { ...node, reports: new Map([...fresh.slice(1 - REPORTS_MAX), [by, nowMs]]) };
}

function judge(node: Watch, silentMs: number, moment: Moment): Watched {
  const { nowMs, thresholds } = moment;
  const { nodeId, regionId, relayed, sights } = node;
  const facts = {
    regionId,
    relayed,
    sights,
    silentMs,
    alive: moment.heard,
    oneRegion: moment.oneRegion,
    coreSettled: nowMs - moment.sinceMs >= thresholds.graceMs,
  };
  const verdict = verdictOn(facts, nowMs, thresholds);
  const record = healthAfter(node, verdict, nowMs, thresholds);
  const effects: DetectorEffect[] = [];
  if (record.health !== node.health) {
    effects.push({ type: "health", nodeId, health: record.health });
  }
  const isDown = verdict === "refused" || verdict === "silent";
  if (!isDown || nowMs - node.downMs < thresholds.downAgainMs) {
    return [{ ...node, ...record }, effects];
  }
  effects.push({ type: "down", nodeId, because: verdict });
  return [{ ...node, ...record, downMs: nowMs }, effects];
}

/** Whoever is not well is looked at, and asked about, again and again. */
function lookFurther(node: Watch, moment: Moment): Watched {
  if (node.wellSinceMs !== undefined) return [node, []];
  const { lookEveryMs, askEveryMs } = moment.thresholds;
  const [looked, looks] = lookAgain(node, lookEveryMs, moment);
  const [asked, asks] = askAgain(looked, askEveryMs, moment);
  return [asked, [...looks, ...asks]];
}

function lookAgain(node: Watch, everyMs: number, { nowMs }: Moment): Watched {
  if (nowMs - node.lookedMs < everyMs) return [node, []];
  return [{ ...node, lookedMs: nowMs }, [{ type: "look", nodeId: node.nodeId }]];
}

/** Regions other than its own; its siblings only in a world of one region. */
function askAgain(node: Watch, everyMs: number, moment: Moment): Watched {
  if (moment.nowMs - node.askedMs < everyMs) return [node, []];
  const { witnessesMax } = moment.thresholds;
  const all = [...moment.reachable].filter(
    (regionId) => moment.oneRegion || regionId !== node.regionId,
  );
  if (all.length === 0) return [node, []];
  const from = all.length > witnessesMax ? node.asked % all.length : 0;
  const regionIds = [...all.slice(from), ...all.slice(0, from)].slice(0, witnessesMax);
  const asked = node.asked + regionIds.length;
  const effect = { type: "ask", nodeId: node.nodeId, regionIds } as const;
  return [{ ...node, askedMs: moment.nowMs, asked }, [effect]];
}

/** Regions as they are at one moment, for all verdicts of that moment. */
interface Moment {
  readonly nowMs: number;
  readonly thresholds: DetectorThresholds;
  readonly sinceMs: number;
  readonly oneRegion: boolean;
  /** Some node of theirs was heard just now. */
  readonly heard: ReadonlySet<RegionId>;
  /** Some node of theirs was heard just now on its own way. */
  readonly reachable: ReadonlySet<RegionId>;
}

function momentOf(
  { nodes, sinceMs, oneRegion }: DetectorState,
  nowMs: number,
  thresholds: DetectorThresholds,
): Moment {
  const regionsWith = (holds: (node: Watch) => boolean) =>
    new Set([...nodes.values()].filter(holds).map(({ regionId }) => regionId));
  const isHeard = (node: Watch) => nowMs - node.heardMs < thresholds.lookAfterMs;
  return {
    nowMs,
    thresholds,
    sinceMs,
    oneRegion,
    heard: regionsWith(isHeard),
    reachable: regionsWith((node) => isHeard(node) && !node.relayed),
  };
}

/** Of a node that has said that it ends, one grace is expected. */
function silenceOf({ heardMs, leaving }: Watch, { nowMs, sinceMs, thresholds }: Moment): number {
  const silentMs = nowMs - Math.max(heardMs, sinceMs);
  return leaving ? silentMs - thresholds.graceMs : silentMs;
}
