/**
 * Mistakes that one could make, each planted into an otherwise faultless world, to prove that the simulator
 * finds them. Those of the core and of value are in `planted-core-bugs.ts`.
 */
import {
  type Batch,
  type Entry,
  newProducer,
  type ProducerEffect,
  type ProducerEvent,
  type ProducerState,
  producerIdOf,
  producerStep,
  takenOverProducer,
} from "../../region/outbox/producer-step.ts";
import { handOffStep } from "../../region/players/hand-off-step.ts";
import { merged } from "../../shared/player-state/change.ts";
import { ChangeSet } from "../../shared/player-state/change-set.ts";
import type { OutboxItem, StateChange } from "../../shared/protocol/player-state.ts";
import type { Parts } from "./parts.ts";
import { type PlantedBug, planted, rule } from "./planted.ts";
import { CORE_BUGS } from "./planted-core-bugs.ts";

const OUTBOX_BUGS: readonly PlantedBug[] = [
  producer("a place in the sequence is taken at the enqueue", (state, event) => {
    // Whether Redis took it or not: it has its place, and goes to the core from memory.
    if (event.type !== "appendFailed" && event.type !== "redisLost")
      return producerStep(state, event);
    const { appending } = state;
    if (!appending || event.by !== producerIdOf(state)) return producerStep(state, event);
    return producerStep(state, { type: "appended", by: event.by, seq: appending.seq });
  }),
  producer(
    "entries are trimmed when they are applied, not when they are flushed",
    (state, event) => {
      if (event.type !== "answered") return producerStep(state, event);
      const { answer } = event;
      return producerStep(state, {
        ...event,
        answer: { ...answer, flushedSeq: Math.max(answer.flushedSeq, answer.lastSeq) },
      });
    },
  ),
  producer("saved is told when Redis has it", (state, event) => {
    const marks = event.type === "appended" && state.appending?.marks;
    const effects = producerStep(state, event);
    return marks ? [{ type: "saved", marks }, ...effects] : effects;
  }),
  producer("batches are merged across a release marker", (state, event) =>
    producerStep(state, event).map((effect) =>
      effect.type === "send"
        ? { ...effect, batch: { ...effect.batch, items: markersLast(effect.batch.items) } }
        : effect,
    ),
  ),
  producer("release markers go ahead of changes", (state, event) =>
    producerStep(state, event).map((effect) =>
      effect.type === "send"
        ? { ...effect, batch: { ...effect.batch, items: markersFirst(effect.batch.items) } }
        : effect,
    ),
  ),
  producer("additions that are merged overwrite each other", (state, event) =>
    producerStep(state, event).map((effect) =>
      effect.type === "send" ? { ...effect, batch: lastAdditions(state, effect.batch) } : effect,
    ),
  ),
  producer("a new incarnation sends again what the core has", (state, event) => {
    if (event.type !== "closed") return producerStep(state, event);
    return producerStep(state, { ...event, answer: { ...event.answer, lastSeq: 0 } });
  }),
  producer("a new incarnation forgets the append under way", (state, event) => {
    if (event.type === "closed" && event.by === producerIdOf(state)) state.appending = undefined;
    return producerStep(state, event);
  }),
  producer("a new incarnation does not close the one before", (state, event) =>
    producerStep(state, event).flatMap((effect) => {
      if (effect.type !== "close" || effect.drained) return [effect];
      const { appliedSeq, flushedSeq, coreTerm } = state;
      const answer = {
        lastSeq: Math.max(appliedSeq, flushedSeq),
        flushedSeq: appliedSeq,
        coreTerm,
      };
      return producerStep(state, { type: "closed", by: effect.by, answer });
    }),
  ),
  producer("whoever took a stream over says at once that it is drained", (state, event) =>
    producerStep(state, event).flatMap((effect): ProducerEffect[] => {
      const begins =
        state.takenOver && effect.type === "send" && state.appliedSeq === state.flushedSeq;
      return begins ? [{ type: "close", by: effect.by, drained: true }, effect] : [effect];
    }),
  ),
  producer("after a loss in redis the same incarnation begins at 1 again", (state, event) => {
    const isLost = event.type === "redisLost" && event.by === producerIdOf(state);
    if (!isLost || state.phase !== "open") return producerStep(state, event);
    const { name, incarnation, coreTerm, kept, appending } = state;
    const waiting = new ChangeSet();
    for (const entry of appending ? [...kept, appending] : kept) waiting.addAll(entry);
    waiting.addAll(state.waiting.take(Number.POSITIVE_INFINITY));
    Object.assign(state, newProducer(name), { incarnation, coreTerm, waiting });
    return [
      { type: "forget", by: event.by },
      { type: "open", by: event.by },
    ];
  }),
  producer(
    "documents are not written anew after the core was rewound",
    (state, event) => producerStep(state, event).filter(({ type }) => type !== "rewrite"),
    {
      handOffStep: (state, event, nowMs) =>
        event.type === "rewrite" ? [state, []] : handOffStep(state, event, nowMs),
    },
  ),
  producer("an answer that never came is taken for a success", (state, event) => {
    if (event.type !== "sendFailed" || !state.sendUnderWay) return producerStep(state, event);
    const { lastSeq, coreTerm } = state;
    const answer = {
      outcome: "applied",
      lastSeq,
      flushedSeq: lastSeq,
      coreTerm,
      refused: 0,
    } as const;
    return producerStep(state, { type: "answered", by: event.by, answer });
  }),
  planted("a stream that is taken over is sent from its second entry on", {
    takenOverProducer: (name, incarnation, entries) => {
      const [first, ...rest] = entries as [Entry, ...Entry[]];
      const merging = rest.length > 0 && first ? [{ ...first, items: [] }, ...rest] : entries;
      return takenOverProducer(name, incarnation, merging);
    },
  }),
];

const HAND_OFF_BUGS: readonly PlantedBug[] = [
  rule("a room's last change comes after the release marker", { markerLast: false }),
  planted("a grant that nobody waits for any more is kept", {
    handOffStep: (state, event, nowMs) => {
      const yours = event.type === "wait" ? { ...event, yours: undefined } : event;
      const [next, effects] = handOffStep(state, yours, nowMs);
      const keeps = state.phase !== "owned" && event.type !== "granted";
      return [next, keeps ? effects.filter(({ type }) => type !== "release") : effects];
    },
  }),
  rule("a room goes on to change the copy of a released player", { releaseEndsCopy: false }),
];

export const PLANTED_BUGS: readonly PlantedBug[] = [...OUTBOX_BUGS, ...HAND_OFF_BUGS, ...CORE_BUGS];

function producer(
  name: string,
  step: (state: ProducerState, event: ProducerEvent) => ProducerEffect[],
  others: Partial<Parts> = {},
): PlantedBug {
  return planted(name, { ...others, producerStep: step });
}

function markersFirst(items: readonly OutboxItem[]): OutboxItem[] {
  return [...items].sort((a, b) => Number("release" in b) - Number("release" in a));
}

/** Everything of a document becomes one change, also what came after the marker. */
function markersLast(items: readonly OutboxItem[]): OutboxItem[] {
  const byKey = new Map<string, StateChange>();
  for (const item of items) {
    if ("release" in item) continue;
    const key = `${item.playerId}/${item.collection}`;
    const before = byKey.get(key);
    byKey.set(key, before ? { ...item, ...merged(before, item) } : item);
  }
  return [...byKey.values(), ...items.filter((item) => "release" in item)];
}

/** What is sent counts only the last entry's additions. */
function lastAdditions({ kept, appliedSeq, flushedSeq }: ProducerState, batch: Batch): Batch {
  const last = kept.slice(appliedSeq - flushedSeq).at(-1);
  const items = batch.items.map((item) => {
    if ("release" in item) return item;
    const newest = last?.items.find(
      (one) => one.playerId === item.playerId && "add" in one && one.collection === item.collection,
    );
    return newest && "add" in newest ? { ...item, add: newest.add } : item;
  });
  return { ...batch, items };
}
