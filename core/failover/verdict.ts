/**
 * What follows from what is known of a node: whether it is gone, cut off the core, or to be doubted. Pure.
 *
 * A **sight** is the newest that one place has told of a node. Only what was told since the node was last heard is
 * kept, and it counts while it is fresh. A region counts once, whichever of its nodes looked.
 *
 * Gone is a node in two ways only. *Refused*: connections to it are refused at the core and at a node of another
 * region, so its process is no more; nobody has to wait for that. *Silent*: it was not heard for the grace, the
 * core's own looks got no answer, and a living region sees the same. An answer that anybody got stands against both:
 * the node lives, and only its way to the core is cut. Also while another node of the
 * witness's region sees nothing: an answer stands for as long as it is fresh. Its own region's word never counts against it, because
 * whatever cut the node off may have cut off its siblings, unless there is no other region in this world.
 */
import type { RegionId } from "../../shared/ids.ts";
import type { Saw } from "../../shared/protocol/failover.ts";

export type Place = "core" | RegionId;

export interface Sight {
  readonly saw: Saw;
  /** When it was told to the core: monotonic ms of the core, so no other machine's clock matters. */
  readonly atMs: number;
  /** Since when it was told the same without a break. */
  readonly sinceMs: number;
  /** How many looks in a row got no answer. */
  readonly unanswered: number;
  /** When the last answer was told, by whichever node of that region. */
  readonly answeredMs: number;
}

export interface VerdictThresholds {
  /** Silence after which the core begins to look, ms. */
  readonly lookAfterMs: number;
  /** Silence after which a node may be down, or is isolated, ms. */
  readonly graceMs: number;
  /** How long a sight counts, ms. */
  readonly freshMs: number;
  /** In a world of one region, where nobody else can look: how far apart two refusals at the core are at least, ms. */
  readonly aloneMs: number;
  /** How many looks in a row got no answer, the core's own and the witnesses' each, before silence counts. */
  readonly silentLooks: number;
}

export interface Case {
  readonly regionId: RegionId;
  /** How long the node was not heard, ms; of the core's own pause none counts. */
  readonly silentMs: number;
  readonly relayed: boolean;
  readonly sights: ReadonlyMap<Place, Sight>;
  /** Regions of which some node was heard just now. */
  readonly alive: ReadonlySet<RegionId>;
  /** There is no other region in this world. */
  readonly oneRegion: boolean;
  /** The core has been there for one grace: its own deafness does not explain the silence. */
  readonly coreSettled: boolean;
}

export type Verdict = "refused" | "silent" | "isolated" | "doubted" | "well";

/** @param nowMs monotonic */
export function verdictOn(node: Case, nowMs: number, thresholds: VerdictThresholds): Verdict {
  const fresh = freshSights(node.sights, nowMs, thresholds.freshMs);
  if (isRefused(node, fresh, thresholds)) return "refused";
  const { freshMs } = thresholds;
  const answers = [...fresh.values()].some(({ answeredMs }) => nowMs - answeredMs <= freshMs);
  const isSilent = node.silentMs >= thresholds.graceMs;
  if (isSilent && !answers && isGoneInSilence(node, fresh, thresholds)) return "silent";
  if (node.relayed || (isSilent && answers)) return "isolated";
  const core = fresh.get("core");
  const doubted = node.silentMs >= thresholds.lookAfterMs || core?.saw === "refused";
  return doubted ? "doubted" : "well";
}

function isRefused(
  node: Case,
  fresh: ReadonlyMap<Place, Sight>,
  { aloneMs }: VerdictThresholds,
): boolean {
  const core = fresh.get("core");
  if (core?.saw !== "refused") return false;
  const others = [...fresh].filter(([place]) => isOther(place, node.regionId));
  const another = others.find(([, { saw }]) => saw === "refused")?.[1];
  // Whoever got an answer after the first refusal has seen the node live.
  const refusedMs = Math.min(core.atMs, another?.atMs ?? core.sinceMs);
  const lives = [...fresh.values()].some(({ answeredMs }) => answeredMs >= refusedMs);
  if (lives) return false;
  if (another) return true;
  return node.oneRegion && node.coreSettled && core.atMs - core.sinceMs >= aloneMs;
}

function isGoneInSilence(
  node: Case,
  fresh: ReadonlyMap<Place, Sight>,
  { silentLooks }: VerdictThresholds,
): boolean {
  if (!node.coreSettled) return false;
  const core = fresh.get("core");
  if (!core || core.unanswered < silentLooks) return false;
  // A witness who is silent itself by now shows that it is the core who is cut off.
  const witnesses = [...fresh].filter(
    ([place]) =>
      place !== "core" && node.alive.has(place) && (place !== node.regionId || node.oneRegion),
  );
  const unanswered = witnesses.reduce((sum, [, sight]) => sum + sight.unanswered, 0);
  return unanswered >= silentLooks;
}

function isOther(place: Place, regionId: RegionId): boolean {
  return place !== "core" && place !== regionId;
}

function freshSights(
  sights: ReadonlyMap<Place, Sight>,
  nowMs: number,
  freshMs: number,
): Map<Place, Sight> {
  return new Map([...sights].filter(([, { atMs }]) => nowMs - atMs <= freshMs));
}

/** The sight after another one of the same place. */
export function sightAfter(
  before: Sight | undefined,
  saw: Saw,
  nowMs: number,
  freshMs: number,
): Sight {
  const goesOn = before !== undefined && nowMs - before.atMs <= freshMs;
  const sinceMs = goesOn && before.saw === saw ? before.sinceMs : nowMs;
  const unanswered = saw === "answers" ? 0 : (goesOn ? before.unanswered : 0) + 1;
  const answeredMs = saw === "answers" ? nowMs : (before?.answeredMs ?? Number.NEGATIVE_INFINITY);
  return { saw, atMs: nowMs, sinceMs, unanswered, answeredMs };
}
