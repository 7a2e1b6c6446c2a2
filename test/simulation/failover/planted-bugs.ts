/** Mistakes that one could make with failovers, each planted into an otherwise faultless world. */
import { assign } from "../../../core/failover/assign-step.ts";
import {
  DETECTOR_DEFAULTS,
  type DetectorThresholds,
  detectorStep,
} from "../../../core/failover/detector-step.ts";
import { connectionStep } from "../../../shared/client/connection-step.ts";
import type { RegionId } from "../../../shared/ids.ts";
import { type Parts, PRODUCTION, type Rules } from "./parts.ts";

export interface PlantedBug {
  readonly name: string;
  readonly parts: Parts;
  /** It takes several faults in a certain order: thousands of seeds. */
  readonly rare: boolean;
}

/** Stands in for the regions that a detector does not tell apart. */
const ANYBODY = "z" as RegionId;

export const PLANTED_BUGS: readonly PlantedBug[] = [
  detector("silence alone is taken for the end", (state, event, nowMs, thresholds) => {
    if (event.type !== "tick") return detectorStep(state, event, nowMs, thresholds);
    const [next, effects] = detectorStep(state, event, nowMs, thresholds);
    const gone = event.nodes.filter(({ heardMs }) => nowMs - heardMs >= thresholds.graceMs);
    const downs = gone.map(({ nodeId }) => ({ type: "down", nodeId, because: "silent" }) as const);
    return [next, [...effects, ...downs]];
  }),
  detector("who is isolated is taken for gone", (state, event, nowMs, thresholds) => {
    const [next, effects] = detectorStep(state, event, nowMs, thresholds);
    return [
      next,
      effects.flatMap((effect) =>
        effect.type === "health" && effect.health === "isolated"
          ? [effect, { type: "down", nodeId: effect.nodeId, because: "silent" } as const]
          : [effect],
      ),
    ];
  }),
  detector("the core's own refusals count as two places", (state, event, nowMs, thresholds) => {
    if (event.type !== "saw" || event.by !== "core" || event.saw !== "refused") {
      return detectorStep(state, event, nowMs, thresholds);
    }
    const [next, effects] = detectorStep(state, event, nowMs, thresholds);
    const [twice, more] = detectorStep(next, { ...event, by: ANYBODY }, nowMs, thresholds);
    return [twice, [...effects, ...more]];
  }),
  detector("a witness of the same region counts", (state, event, nowMs, thresholds) => {
    const [next, effects] = detectorStep(state, event, nowMs, thresholds);
    if (event.type !== "tick") return [next, effects];
    // It is asked too, and its word is that of anybody.
    const asks = effects.map((effect) => {
      const own = event.nodes.find(({ nodeId }) => nodeId === effect.nodeId)?.regionId;
      return effect.type === "ask" && own
        ? { ...effect, regionIds: [...effect.regionIds, own] }
        : effect;
    });
    const alone = event.nodes.filter(({ nodeId, regionId, heardMs }) => {
      const sight = next.nodes.get(nodeId)?.sights.get(regionId);
      return sight && sight.saw !== "answers" && nowMs - heardMs >= thresholds.graceMs;
    });
    const downs = alone.map(({ nodeId }) => ({ type: "down", nodeId, because: "silent" }) as const);
    return [next, [...asks, ...downs]];
  }),
  detector("what a witness said first stands", (state, event, nowMs, thresholds) => {
    const isOld =
      event.type === "saw" &&
      event.by !== "core" &&
      [...(state.nodes.get(event.nodeId)?.sights.values() ?? [])].some(
        ({ saw }) => saw === "silent",
      );
    return isOld && event.type === "saw"
      ? detectorStep(state, { ...event, saw: "silent" }, nowMs, thresholds)
      : detectorStep(state, event, nowMs, thresholds);
  }),
  {
    ...detector("the first witness decides", (state, event, nowMs, thresholds) => {
      const seen = event.type === "saw" && event.by !== "core" && event.saw === "answers";
      const views = event.type === "saw" ? state.nodes.get(event.nodeId)?.sights : undefined;
      const decided = [...(views ?? [])].some(
        ([by, { saw }]) => by !== "core" && saw !== "answers",
      );
      return seen && decided ? [state, []] : detectorStep(state, event, nowMs, thresholds);
    }),
    rare: true,
  },
  detector("witnesses are never asked", (state, event, nowMs, thresholds) => {
    const [next, effects] = detectorStep(state, event, nowMs, thresholds);
    return [next, effects.filter(({ type }) => type !== "ask")];
  }),
  thresholds("the grace is shorter than the lease", { graceMs: 1_700, lookAfterMs: 300 }),
  rule("a heartbeat of a fenced node is taken", { refusesFencedHeartbeats: false }),
  rule("a claim of a fenced node is granted", { refusesFencedClaims: false }),
  rule("documents are given to a fenced node", { refusesFencedLoads: false }, true),
  rule("a core that is restarted forgets its fences", { fencesAreKept: false }),
  rule("a core that is restarted forgets which rooms are on their way", { movesAreResumed: false }),
  rule("a room is granted while its owner has it", { claimsCheckOwner: false }),
  rule(
    "a late claim goes on with what a later owner has changed",
    { claimsNameFormer: false },
    true,
  ),
  rule("a claim that is sent again is another one", { claimsAreKnownAgain: false }),
  rule("operations of a former owner are taken", { valueChecksEpoch: false }),
  rule("documents of a former owner are taken", { documentsCheckEpoch: false }),
  rule("an operation is named by its owner's epoch", { valueNamesCause: false }),
  rule("an operation that is sent again is booked again", { valueOnce: false }),
  rule("a fence leaves the players where they are", { fenceFreesPlayers: false }),
  planted("the staler copy goes on", {
    assign(assigning) {
      const [stalest] = assigning.copies.toSorted((a, b) => a.tick - b.tick);
      return assign({ ...assigning, copies: stalest ? [stalest] : [] });
    },
  }),
  planted("a copy of another life of the room goes on", {
    assign(assigning) {
      const rooms = assigning.rooms.map(({ roomId, roomEpoch }) => {
        const [copy] = assigning.copies.filter((held) => held.roomId === roomId);
        return { roomId, roomEpoch: copy?.roomEpoch ?? roomEpoch };
      });
      return assign({ ...assigning, rooms });
    },
  }),
  rule("a room that is here is restored again", { takeOverOnce: false }),
  rule("a lease is not looked at", { leaseBeforeSeats: false }, true),
  rule("a lease is counted from the answer", { leaseFromSending: false }, true),
  rule("a lease is counted by the wall clocks", { monotonicLease: false }),
  rule("a heartbeat is as old as its sender's clock says", { monotonicDetector: false }),
  planted("a client takes silence for a quiet room", {
    connectionStep(state, event, at) {
      const isLive = event.type === "wake" && state.activity === "live";
      return connectionStep(isLive ? { ...state, heardAtMs: at.nowMs } : state, event, at);
    },
  }),
  planted("a client gives up when its connection ends", {
    connectionStep(state, event, at) {
      const [next, effects] = connectionStep(state, event, at);
      const isOver = event.type === "closed" && state.activity === "live";
      return isOver
        ? [{ ...next, activity: "queued", queue: undefined }, effects]
        : [next, effects];
    },
  }),
  planted("an epoch is granted again", {
    nextRoomEpoch: (epoch) => (epoch[1] === 0 ? [1, 1] : epoch),
  }),
  planted("a lease never ends", { leaseHeld: (lease) => lease.endsAtMs > 0 }),
];

function detector(
  name: string,
  step: typeof detectorStep,
  changed: Partial<DetectorThresholds> = {},
): PlantedBug {
  const thresholds = { ...DETECTOR_DEFAULTS, ...changed };
  return planted(name, { detectorStep: step, thresholds });
}

function thresholds(name: string, changed: Partial<DetectorThresholds>): PlantedBug {
  return planted(name, { thresholds: { ...DETECTOR_DEFAULTS, ...changed } });
}

function rule(name: string, rules: Partial<Rules>, rare = false): PlantedBug {
  return planted(name, { rules: { ...PRODUCTION.rules, ...rules } }, rare);
}

function planted(name: string, parts: Partial<Parts>, rare = false): PlantedBug {
  return { name, parts: { ...PRODUCTION, ...parts }, rare };
}
