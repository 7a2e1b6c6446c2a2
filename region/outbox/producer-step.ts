/**
 * One shard of an outbox: what becomes of changes between the room and the core. Deterministic, without
 * I/O or clock; `OutboxShard` carries out the effects and brings back what came of them.
 *
 *     change ─▶ waiting ─(append)─▶ kept, in Redis ─(send)─▶ applied at the core ─▶ flushed ─▶ trimmed
 *
 * An entry gets its place in the sequence by the append that makes it durable: Redis takes the one after
 * its last, the same one again as done, and no other. So there are no gaps, and what Redis lost shows at
 * the next append. Then, and when Redis says that it is another, the rest goes on under a new incarnation:
 * the core closes the old one and says how far it came, so that nothing is applied twice and nothing left
 * out. An entry is let go only when the core can't lose it any more.
 *
 * A core that was restored to before what was let go can't get that any more: the next batch leaves it out,
 * and says so. Whoever owns players then writes their documents anew.
 *
 * A node that has died leaves its streams in Redis. Another node of the region takes such a stream over
 * and sends it to its end under the producer's own id, which does no harm should two do it, or should the
 * writer live: the core takes each place in the sequence once, whoever brings it.
 */
import type { PlayerId } from "../../shared/ids.ts";
import { ChangeSet, type Marks, type TakenText } from "../../shared/player-state/change-set.ts";
import {
  BATCH_ITEMS_MAX,
  type BatchAnswer,
  type CloseProducerAnswer,
  type OutboxItem,
  type ProducerId,
} from "../../shared/protocol/player-state.ts";

/** Items of one entry, besides the rest of the last one's player. */
export const ENTRY_ITEMS = 1_000;
/** Bytes of one entry, besides the last player's, of up to 2 MiB: all of it fits into a batch. */
export const ENTRY_BYTES = 1024 * 1024;
/** Entries of one batch have no more bytes together, unless it is one alone. */
const BATCH_TEXT_BYTES = 3 * 1024 * 1024;

export interface Entry extends TakenText {
  readonly seq: number;
}

export interface Batch {
  readonly fromSeq: number;
  readonly toSeq: number;
  /** What the core lacks before it is lost. */
  readonly skips: boolean;
  readonly items: readonly OutboxItem[];
}

export type ProducerEvent =
  /** It is time to write down what waits. */
  | { readonly type: "tick" }
  /** The same, and to send what was written down; and to try again what failed. */
  | { readonly type: "due" }
  | { readonly type: "opened"; readonly by: ProducerId }
  | { readonly type: "appended"; readonly by: ProducerId; readonly seq: number }
  /** Whether it was appended is not known, or it was not. */
  | { readonly type: "appendFailed"; readonly by: ProducerId }
  /** Redis does not hold what it had taken, or is another. */
  | { readonly type: "redisLost"; readonly by: ProducerId }
  | { readonly type: "answered"; readonly by: ProducerId; readonly answer: BatchAnswer }
  | { readonly type: "sendFailed"; readonly by: ProducerId }
  | { readonly type: "closed"; readonly by: ProducerId; readonly answer: CloseProducerAnswer }
  /** The core said its term elsewhere. */
  | { readonly type: "coreTerm"; readonly coreTerm: number };

export type ProducerEffect =
  /** Start an empty stream of that name in Redis, or find the one that was started. */
  | { readonly type: "open"; readonly by: ProducerId }
  | { readonly type: "append"; readonly by: ProducerId; readonly entry: Entry }
  | { readonly type: "send"; readonly by: ProducerId; readonly batch: Batch }
  | { readonly type: "trim"; readonly by: ProducerId; readonly upTo: number }
  | { readonly type: "close"; readonly by: ProducerId; readonly drained: boolean }
  /** The stream is not needed any more. */
  | { readonly type: "forget"; readonly by: ProducerId }
  | { readonly type: "saved"; readonly marks: Marks }
  /** The core may have forgotten what it had: whoever owns players writes their documents anew. */
  | { readonly type: "rewrite" }
  /** So many items were not applied: their players have another owner. */
  | { readonly type: "refused"; readonly items: number };

export interface ProducerState {
  /** `node/shard`; with the incarnation it is the producer's id. */
  readonly name: string;
  /** Another node's stream, to be sent to its end. */
  readonly takenOver: boolean;
  incarnation: number;
  phase: "opening" | "open" | "closing" | "ended";
  waiting: ChangeSet;
  /** Was given to Redis, and there is no answer yet that it was taken. */
  appending: Entry | undefined;
  appendUnderWay: boolean;
  /** Appended and not flushed, in order. */
  kept: Entry[];
  keptItems: number;
  keptBytes: number;
  /** The newest that was appended, applied, flushed. */
  lastSeq: number;
  appliedSeq: number;
  flushedSeq: number;
  /** The core lacks what was let go. */
  skips: boolean;
  /** Players of whom something that was applied and is not flushed was refused: it is not saved. */
  refused: Set<PlayerId>;
  sendUnderWay: boolean;
  /** It was due while another was under way: it goes as soon as that is answered. */
  sendMissed: boolean;
  /** The highest that the core has named; 0 before it named any. */
  coreTerm: number;
}

export function newProducer(name: string): ProducerState {
  return {
    name,
    takenOver: false,
    incarnation: 1,
    phase: "opening",
    waiting: new ChangeSet(),
    appending: undefined,
    appendUnderWay: false,
    kept: [],
    keptItems: 0,
    keptBytes: 0,
    lastSeq: 0,
    appliedSeq: 0,
    flushedSeq: 0,
    skips: false,
    refused: new Set(),
    sendUnderWay: false,
    sendMissed: false,
    coreTerm: 0,
  };
}

/** A dead node's stream. @param entries without gaps, oldest first: those that it did not trim */
export function takenOverProducer(
  name: string,
  incarnation: number,
  entries: readonly Entry[],
): ProducerState {
  const flushedSeq = (entries[0]?.seq ?? 1) - 1;
  return {
    ...newProducer(name),
    takenOver: true,
    incarnation,
    phase: "open",
    kept: [...entries],
    keptItems: entries.reduce((sum, { items }) => sum + items.length, 0),
    keptBytes: entries.reduce((sum, { text }) => sum + text.length, 0),
    lastSeq: entries.at(-1)?.seq ?? flushedSeq,
    appliedSeq: flushedSeq,
    flushedSeq,
  };
}

export function producerIdOf({ name, incarnation }: ProducerState): ProducerId {
  return `${name}/${incarnation}` as ProducerId;
}

/** Whether everything that it was given is flushed. */
export function isDrained({ waiting, appending, kept }: ProducerState): boolean {
  return waiting.size === 0 && !appending && kept.length === 0;
}

/** Changes `state`. @returns what is to be done, in that order */
export function producerStep(state: ProducerState, event: ProducerEvent): ProducerEffect[] {
  if (event.type === "tick") return state.phase === "open" ? append(state) : [];
  if (event.type === "due") return onDue(state);
  if (event.type === "coreTerm") return noteTerm(state, event.coreTerm);
  // Of a former incarnation: what came of it is settled.
  if (event.by !== producerIdOf(state)) return [];
  switch (event.type) {
    case "opened":
      return onOpened(state);
    case "appended":
      return onAppended(state, event.seq);
    case "appendFailed":
      state.appendUnderWay = false;
      return [];
    case "redisLost":
      return startClosing(state);
    case "answered":
      return onAnswered(state, event.answer);
    case "sendFailed":
      state.sendUnderWay = false;
      return [];
    case "closed":
      return onClosed(state, event.answer);
  }
}

function onDue(state: ProducerState): ProducerEffect[] {
  const by = producerIdOf(state);
  // A shard without changes needs no stream.
  if (state.phase === "opening") return state.waiting.size > 0 ? [{ type: "open", by }] : [];
  if (state.phase === "closing") return [{ type: "close", by, drained: state.takenOver }];
  return onward(state);
}

function onOpened(state: ProducerState): ProducerEffect[] {
  if (state.phase !== "opening") return [];
  state.phase = "open";
  return onward(state);
}

function onward(state: ProducerState): ProducerEffect[] {
  if (state.phase !== "open") return [];
  const effects = [...append(state), ...send(state)];
  if (state.takenOver && effects.length === 0 && isDrained(state) && !state.sendUnderWay) {
    return startClosing(state);
  }
  return effects;
}

/** One at a time. One without an answer is tried again as it is: Redis may have taken it. */
function append(state: ProducerState): ProducerEffect[] {
  if (state.appendUnderWay || state.takenOver) return [];
  if (!state.appending) {
    if (state.waiting.size === 0) return [];
    const taken = state.waiting.takeText(ENTRY_ITEMS, ENTRY_BYTES);
    state.appending = { ...taken, seq: state.lastSeq + 1 };
  }
  state.appendUnderWay = true;
  return [{ type: "append", by: producerIdOf(state), entry: state.appending }];
}

function onAppended(state: ProducerState, seq: number): ProducerEffect[] {
  const entry = state.appending;
  if (state.phase !== "open" || entry?.seq !== seq) return [];
  state.appending = undefined;
  state.appendUnderWay = false;
  state.lastSeq = seq;
  state.kept.push(entry);
  state.keptItems += entry.items.length;
  state.keptBytes += entry.text.length;
  return [];
}

/**
 * One batch at a time, and only when it is due: entries that are appended meanwhile are merged into the
 * next, and the core's work is by rows, not by changes. Without entries to send it asks whether those that were
 * applied are flushed.
 */
function send(state: ProducerState): ProducerEffect[] {
  state.sendMissed = state.sendUnderWay;
  if (state.sendUnderWay || state.flushedSeq === state.lastSeq) return [];
  state.sendUnderWay = true;
  return [{ type: "send", by: producerIdOf(state), batch: nextBatch(state) }];
}

function nextBatch({ kept, appliedSeq, flushedSeq, skips }: ProducerState): Batch {
  const merging = new ChangeSet();
  let toSeq = appliedSeq;
  let bytes = 0;
  for (let at = appliedSeq - flushedSeq; at < kept.length; at += 1) {
    const entry = kept[at] as Entry;
    bytes += Buffer.byteLength(entry.text);
    const large = merging.size + entry.items.length > BATCH_ITEMS_MAX || bytes > BATCH_TEXT_BYTES;
    if (toSeq > appliedSeq && large) break;
    merging.addAll(entry);
    toSeq = entry.seq;
  }
  const { items } = merging.take(Number.POSITIVE_INFINITY);
  return { fromSeq: appliedSeq + 1, toSeq, skips, items };
}

function onAnswered(state: ProducerState, answer: BatchAnswer): ProducerEffect[] {
  if (state.phase !== "open" || !state.sendUnderWay) return [];
  state.sendUnderWay = false;
  const effects = noteTerm(state, answer.coreTerm);
  const { lastSeq, flushedSeq } = answer;
  // It knows more than Redis has said to have taken.
  const isAhead = lastSeq > state.lastSeq;
  if (answer.outcome === "closed" || isAhead) return [...effects, ...startClosing(state)];
  if (answer.outcome === "applied" && answer.refused > 0) {
    effects.push({ type: "refused", items: answer.refused });
    for (const playerId of answer.refusedPlayers ?? []) state.refused.add(playerId);
  }
  state.skips = lastSeq < state.flushedSeq;
  state.appliedSeq = Math.max(lastSeq, state.flushedSeq);
  effects.push(...flush(state, flushedSeq));
  // Nothing is added to a stream that was taken over: it is sent as fast as it goes.
  const goesOn = state.sendMissed || state.takenOver;
  const asksOnly = state.flushedSeq < lastSeq && lastSeq === state.lastSeq;
  return goesOn && !asksOnly ? [...effects, ...onward(state)] : effects;
}

function noteTerm(state: ProducerState, coreTerm: number): ProducerEffect[] {
  const rewound = state.coreTerm > 0 && coreTerm > state.coreTerm;
  state.coreTerm = Math.max(state.coreTerm, coreTerm);
  return rewound ? [{ type: "rewrite" }] : [];
}

function flush(state: ProducerState, flushedSeq: number): ProducerEffect[] {
  const effects: ProducerEffect[] = [];
  const flushed = Math.max(0, Math.min(flushedSeq, state.lastSeq) - state.flushedSeq);
  for (const { items, marks, text } of state.kept.splice(0, flushed)) {
    state.keptItems -= items.length;
    state.keptBytes -= text.length;
    const saved = [...marks].filter(([playerId]) => !state.refused.has(playerId));
    if (saved.length > 0) effects.push({ type: "saved", marks: new Map(saved) });
  }
  state.flushedSeq += flushed;
  if (state.flushedSeq >= state.appliedSeq) state.refused.clear();
  if (flushed > 0) effects.push({ type: "trim", by: producerIdOf(state), upTo: state.flushedSeq });
  return effects;
}

function startClosing(state: ProducerState): ProducerEffect[] {
  if (state.phase !== "open") return [];
  state.phase = "closing";
  return [{ type: "close", by: producerIdOf(state), drained: state.takenOver }];
}

/**
 * The core has closed it after `lastSeq`. What was not applied waits again, in the order in which it came,
 * for the next incarnation. Until what was applied can't be lost any more, it is asked again.
 *
 * Of a stream that was taken over nothing goes on: its writer closed it, and has the rest, or it was sent
 * to its end. A writer that dies between closing and the next append loses what Redis had lost before.
 */
function onClosed(state: ProducerState, answer: CloseProducerAnswer): ProducerEffect[] {
  if (state.phase !== "closing") return [];
  const effects = noteTerm(state, answer.coreTerm);
  if (answer.flushedSeq < answer.lastSeq) return effects;
  const forget = { type: "forget", by: producerIdOf(state) } as const;
  const again = new ChangeSet();
  const { kept, appending, waiting, coreTerm, incarnation, name } = state;
  for (const entry of appending ? [...kept, appending] : kept) {
    if (entry.seq > answer.lastSeq) again.addAll(entry);
    else effects.push({ type: "saved", marks: entry.marks });
  }
  again.addAll(waiting.take(Number.POSITIVE_INFINITY));
  if (state.takenOver) {
    Object.assign(state, { kept: [], keptItems: 0, keptBytes: 0, phase: "ended" });
    return [...effects, forget];
  }
  Object.assign(state, newProducer(name), {
    incarnation: incarnation + 1,
    waiting: again,
    coreTerm,
  });
  return [...effects, forget, ...onDue(state)];
}
