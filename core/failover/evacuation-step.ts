/**
 * Which rooms of an evacuation move next, and what became of those that were asked for. Pure.
 *
 * A room waits, moves (its owner stops it and gives its standby the last frame), arrives (the standby is told to
 * go on with it), and has moved. Players are away from `moves` to the end of `arrives`, so what moves arrives at
 * once, also of an evacuation that was paused or stopped meanwhile: only rooms that wait go on waiting then.
 *
 * What its standby can't go on with is given to whoever can (`goOn`): that ends with the room elsewhere, or lost.
 *
 * An owner's answer that is lost says nothing: such rooms are looked up (`settle`), and go on from where they are.
 * When nothing is left the region is listed anew, because rooms may have been made at the last moment; it has
 * ended when there is none but those that can't be moved.
 */
import type { NodeId, RoomId } from "../../shared/ids.ts";
import type { CopyName } from "../../shared/protocol/failover.ts";

/** Calls to owners at a time. */
const MOVES_UNDER_WAY_MAX = 4;
/** A call's rooms are away until the last of them has arrived. */
const BATCH_MAX = 25;
const TRIES_MAX = 3;
const RETRY_MS = 1_000;
/** A room whose standby has no seats for it is asked for again after that, as often as it takes. */
const HELD_MS = 3_000;
const ERRORS_KEPT = 10;
/** A turn of the timer that comes late makes up for no more than this. */
const CREDIT_MS_MAX = 1_000;

export type Phase = "running" | "paused" | "stopped" | "done";

interface Waiting {
  readonly roomId: RoomId;
  readonly nodeId: NodeId;
  readonly tries: number;
  readonly notBeforeMs: number;
}

/** Its copy, and the node that goes on with it. */
export interface Arriving {
  readonly copy: CopyName;
  readonly to: NodeId;
  /** Whether its standby could not, and others were asked. */
  readonly elsewhere: boolean;
}

export interface Evacuation {
  readonly phase: Phase;
  readonly roomsPerS: number;
  readonly credit: number;
  readonly atMs: number;
  readonly waiting: readonly Waiting[];
  /** Tries before this one, by room, of calls to owners that have not answered. */
  readonly moving: ReadonlyMap<RoomId, number>;
  readonly movesUnderWay: number;
  /** Calls to standbys, or to all, that have not ended. */
  readonly arriving: number;
  /** Rooms of those calls. */
  readonly arrivingRooms: number;
  /** Whether the list of rooms was asked for and has not come. */
  readonly listing: boolean;
  readonly moved: number;
  readonly players: number;
  /** Rooms that ended by themselves. */
  readonly gone: number;
  /** Why they run on at their owner. */
  readonly failed: ReadonlyMap<RoomId, string>;
  /** Rooms that left their owner and with which nobody could go on. */
  readonly lost: number;
  /** The last ones. */
  readonly errors: readonly { readonly roomId: RoomId; readonly why: string }[];
}

export interface RoomAt {
  readonly roomId: RoomId;
  readonly nodeId: NodeId;
}

export type EvacuationEvent =
  | { readonly type: "tick" }
  | { readonly type: "order"; readonly phase: "running" | "paused" | "stopped" }
  /** All open rooms there. */
  | { readonly type: "listed"; readonly rooms: readonly RoomAt[] }
  | { readonly type: "listFailed" }
  | {
      readonly type: "left";
      readonly moved: readonly Pick<Arriving, "copy" | "to">[];
      readonly stayed: readonly (RoomAt & { readonly why: string })[];
      /** Not asked for: their standby has no seats for their players. */
      readonly held?: readonly (RoomAt & { readonly why: string })[];
      /** Ended, or with another owner by now. */
      readonly gone: readonly RoomId[];
      /** Where the copies of these are is not known yet, for somebody has not answered. */
      readonly unsure?: { readonly nodeId: NodeId; readonly roomIds: readonly RoomId[] };
    }
  /** The owner's answer was lost, or where its rooms are can't be told now. */
  | { readonly type: "unsure"; readonly nodeId: NodeId; readonly roomIds: readonly RoomId[] }
  | {
      readonly type: "arrived";
      readonly players: number;
      readonly taken: number;
      readonly failed: readonly (Arriving & { readonly why: string })[];
    };

export type EvacuationEffect =
  | { readonly type: "list" }
  | { readonly type: "move"; readonly nodeId: NodeId; readonly roomIds: readonly RoomId[] }
  /** After a second: what has come of rooms whose owner's answer was lost. */
  | { readonly type: "settle"; readonly nodeId: NodeId; readonly roomIds: readonly RoomId[] }
  | { readonly type: "takeOver"; readonly to: NodeId; readonly rooms: readonly Arriving[] }
  /** With whom else these rooms can be. */
  | { readonly type: "goOn"; readonly rooms: readonly Arriving[] }
  | { readonly type: "lost"; readonly roomId: RoomId; readonly to: NodeId; readonly why: string };

export function newEvacuation(roomsPerS: number, nowMs: number): Evacuation {
  return {
    phase: "running",
    roomsPerS,
    credit: 0,
    atMs: nowMs,
    waiting: [],
    moving: new Map(),
    movesUnderWay: 0,
    arriving: 0,
    arrivingRooms: 0,
    listing: false,
    moved: 0,
    players: 0,
    gone: 0,
    failed: new Map(),
    lost: 0,
    errors: [],
  };
}

/** Whether nothing of it is under way any more. */
export function isOver({ phase, movesUnderWay, arriving }: Evacuation): boolean {
  if (phase === "done") return true;
  return phase === "stopped" && movesUnderWay === 0 && arriving === 0;
}

export function evacuationStep(
  before: Evacuation,
  event: EvacuationEvent,
  nowMs: number,
): [Evacuation, EvacuationEffect[]] {
  const effects: EvacuationEffect[] = [];
  const noted = note(before, event, nowMs, effects);
  return [noted.phase === "running" ? advance(noted, nowMs, effects) : noted, effects];
}

function note(
  state: Evacuation,
  event: EvacuationEvent,
  nowMs: number,
  effects: EvacuationEffect[],
): Evacuation {
  switch (event.type) {
    case "tick":
      return earn(state, nowMs);
    case "order": {
      const over = state.phase === "done" || state.phase === "stopped";
      return over ? state : { ...state, phase: event.phase };
    }
    case "listed":
      return listed({ ...state, listing: false }, event.rooms);
    case "listFailed":
      return { ...state, listing: false };
    case "unsure":
      effects.push({ type: "settle", nodeId: event.nodeId, roomIds: event.roomIds });
      return state;
    case "left":
      return left(state, event, nowMs, effects);
    case "arrived":
      return arrived({ ...state, arriving: state.arriving - 1 }, event, effects);
  }
}

function earn(state: Evacuation, nowMs: number): Evacuation {
  const passedMs = Math.min(CREDIT_MS_MAX, nowMs - state.atMs);
  const most = Math.max(1, (state.roomsPerS * CREDIT_MS_MAX) / 1_000);
  const credit = Math.min(most, state.credit + (state.roomsPerS * passedMs) / 1_000);
  return { ...state, credit, atMs: nowMs };
}

function listed(state: Evacuation, rooms: readonly RoomAt[]): Evacuation {
  const there = new Set(rooms.map(({ roomId }) => roomId));
  const failed = new Map([...state.failed].filter(([roomId]) => there.has(roomId)));
  const anew = rooms.filter(({ roomId }) => !failed.has(roomId));
  const waiting = anew.map((room) => ({ ...room, tries: 0, notBeforeMs: 0 }));
  const gone = state.gone + state.failed.size - failed.size;
  const phase = state.phase === "running" && waiting.length === 0 ? "done" : state.phase;
  return { ...state, phase, failed, gone, waiting };
}

function left(
  state: Evacuation,
  { moved, stayed, held = [], gone, unsure }: Extract<EvacuationEvent, { type: "left" }>,
  nowMs: number,
  effects: EvacuationEffect[],
): Evacuation {
  const moving = new Map(state.moving);
  const waiting = [...state.waiting];
  const failed = new Map(state.failed);
  for (const { roomId, nodeId, why } of stayed) {
    const tries = (moving.get(roomId) ?? 0) + 1;
    if (tries >= TRIES_MAX) failed.set(roomId, why);
    else waiting.push({ roomId, nodeId, tries, notBeforeMs: nowMs + RETRY_MS });
    moving.delete(roomId);
  }
  for (const { roomId, nodeId } of held) {
    const tries = moving.get(roomId) ?? 0;
    waiting.push({ roomId, nodeId, tries, notBeforeMs: nowMs + HELD_MS });
    moving.delete(roomId);
  }
  if (unsure) effects.push({ type: "settle", ...unsure });
  for (const roomId of gone) moving.delete(roomId);
  for (const { copy } of moved) moving.delete(copy.roomId);
  const arriving = takeOver(
    moved.map((one) => ({ ...one, elsewhere: false })),
    effects,
  );
  return {
    ...state,
    moving,
    waiting,
    failed,
    movesUnderWay: state.movesUnderWay - (unsure ? 0 : 1),
    arriving: state.arriving + arriving,
    arrivingRooms: state.arrivingRooms + moved.length,
    gone: state.gone + gone.length,
    errors: [...state.errors, ...stayed, ...held].slice(-ERRORS_KEPT),
  };
}

function arrived(
  state: Evacuation,
  { taken, players, failed }: Extract<EvacuationEvent, { type: "arrived" }>,
  effects: EvacuationEffect[],
): Evacuation {
  const again: Arriving[] = [];
  let { lost } = state;
  const errors = [...state.errors];
  for (const { why, ...room } of failed) {
    const { roomId } = room.copy;
    errors.push({ roomId, why });
    if (!room.elsewhere) {
      again.push({ ...room, elsewhere: true });
      continue;
    }
    lost += 1;
    effects.push({ type: "lost", roomId, to: room.to, why });
  }
  if (again.length > 0) effects.push({ type: "goOn", rooms: again });
  return {
    ...state,
    arriving: state.arriving + (again.length > 0 ? 1 : 0),
    arrivingRooms: state.arrivingRooms - taken - (lost - state.lost),
    lost,
    moved: state.moved + taken,
    players: state.players + players,
    errors: errors.slice(-ERRORS_KEPT),
  };
}

/** @returns how many calls that takes */
function takeOver(rooms: readonly Arriving[], effects: EvacuationEffect[]): number {
  const byTarget = new Map<NodeId, Arriving[]>();
  for (const { copy, to, elsewhere } of rooms) {
    byTarget.set(to, [...(byTarget.get(to) ?? []), { copy, to, elsewhere }]);
  }
  for (const [to, group] of byTarget) effects.push({ type: "takeOver", to, rooms: group });
  return byTarget.size;
}

/** Lets the next rooms move, as far as the pace allows, or has the region listed when none is left. */
function advance(before: Evacuation, nowMs: number, effects: EvacuationEffect[]): Evacuation {
  let state = before;
  while (state.movesUnderWay < MOVES_UNDER_WAY_MAX) {
    const batch = nextBatch(state, nowMs);
    const [first] = batch;
    if (!first) break;
    effects.push({
      type: "move",
      nodeId: first.nodeId,
      roomIds: batch.map(({ roomId }) => roomId),
    });
    state = {
      ...state,
      credit: state.credit - batch.length,
      waiting: state.waiting.filter((room) => !batch.includes(room)),
      moving: new Map([
        ...state.moving,
        ...batch.map((room) => [room.roomId, room.tries] as const),
      ]),
      movesUnderWay: state.movesUnderWay + 1,
    };
  }
  const { waiting, movesUnderWay, arriving, listing } = state;
  const idle = waiting.length + movesUnderWay + arriving === 0;
  if (!idle || listing) return state;
  effects.push({ type: "list" });
  return { ...state, listing: true };
}

/** Of one owner: the one whose turn has come longest ago. */
function nextBatch({ waiting, credit }: Evacuation, nowMs: number): readonly Waiting[] {
  const most = Math.min(BATCH_MAX, Math.floor(credit));
  if (most < 1) return [];
  const due = waiting.filter(({ notBeforeMs }) => notBeforeMs <= nowMs);
  return due.filter(({ nodeId }) => nodeId === due[0]?.nodeId).slice(0, most);
}
