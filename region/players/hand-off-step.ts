/**
 * Whether one player's state is this node's: from a session's arrival over the load to the release. Pure;
 * one state for each player at a node, and none for a player who is `absent`.
 *
 *     absent ─(entered)─▶ loading ─(granted)─▶ owned ─(left, wanted elsewhere)─▶ absent
 *
 * A released player needs no state: the marker goes into the player's outbox behind the last change, and
 * the outbox keeps that order until the core has it for good. A later load waits at the core for it.
 *
 * The core may have granted an epoch whose answer nobody here wants any more, or never got: the player left
 * while it was on its way. Nobody could load the player then. So whatever tells of an epoch that the core
 * takes for this node's, and that is not owned here, is answered by a marker for it. An epoch that is still
 * to be granted to the load under way is never among them: the core grants that load once, and names the
 * owner only to newer sessions, or to other loads.
 */
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";

/** Before a load that got no answer is sent again. It is the same load, so that it is granted once. */
export const LOAD_RETRY_MS = 250;

export interface LoadingSession {
  readonly sessionEpoch: Epoch;
  /** Never used before. */
  readonly loadId: string;
}

export type HandOff =
  | { readonly phase: "absent" }
  | { readonly phase: "loading"; readonly session: LoadingSession; readonly giveUpAtMs: number }
  | {
      readonly phase: "owned";
      readonly session: LoadingSession;
      readonly stateEpoch: Epoch;
      /** What the core has of the player it has had since this term, or it was told to be written anew. */
      readonly coreTerm: number;
    };

export type HandOffEvent =
  | { readonly type: "entered"; readonly session: LoadingSession; readonly giveUpAtMs: number }
  /** @param coreTerm the highest that this node has heard of by whatever way */
  | {
      readonly type: "granted";
      readonly loadId: string;
      readonly stateEpoch: Epoch;
      readonly coreTerm: number;
    }
  /** @param yours under which the core takes this node for the owner that the load waits for */
  | {
      readonly type: "wait";
      readonly loadId: string;
      readonly retryAfterMs: number;
      readonly yours: Epoch | undefined;
    }
  /** A newer session has a seat, or the player's state already. */
  | { readonly type: "takenOver"; readonly loadId: string }
  /** No answer, or none that says anything. */
  | { readonly type: "loadFailed"; readonly loadId: string }
  | { readonly type: "left"; readonly sessionEpoch: Epoch }
  /** The core says that a newer session waits for what this node owns, as it believes. */
  | { readonly type: "wanted"; readonly sessionEpoch: Epoch; readonly stateEpoch: Epoch }
  /** The region was fenced: others may have the player by now. */
  | { readonly type: "fenced" }
  /** The core has a newer term: it may have forgotten what it had. */
  | { readonly type: "rewrite"; readonly coreTerm: number };

export type HandOffEffect =
  /** Ask the core after so many ms. */
  | { readonly type: "load"; readonly session: LoadingSession; readonly afterMs: number }
  /** The working copy is that of the grant, and may be changed under its epoch from now on. */
  | { readonly type: "admit"; readonly session: LoadingSession; readonly stateEpoch: Epoch }
  | {
      readonly type: "refuse";
      readonly session: LoadingSession;
      readonly kind: "session_taken_over" | "unavailable";
    }
  /** A session that was admitted is over: its copy may not be changed any more. */
  | { readonly type: "end"; readonly session: LoadingSession }
  /** The marker, into the player's outbox behind everything that was changed. */
  | { readonly type: "release"; readonly stateEpoch: Epoch }
  /** The whole working copy, into the outbox. */
  | { readonly type: "rewrite"; readonly stateEpoch: Epoch };

export type HandOffStep = readonly [HandOff, readonly HandOffEffect[]];

export const ABSENT: HandOff = { phase: "absent" };

/** @param nowMs monotonic */
export function handOffStep(state: HandOff, event: HandOffEvent, nowMs: number): HandOffStep {
  switch (event.type) {
    case "entered":
      return entered(state, event.session, event.giveUpAtMs);
    case "granted":
      return granted(state, event);
    case "wait":
      return again(state, event.loadId, { afterMs: event.retryAfterMs, yours: event.yours }, nowMs);
    case "loadFailed":
      return again(state, event.loadId, { afterMs: LOAD_RETRY_MS, yours: undefined }, nowMs);
    case "takenOver":
      return isLoading(state, event.loadId) ? over(state, "session_taken_over") : [state, []];
    case "left":
      return left(state, event.sessionEpoch);
    case "wanted":
      return wanted(state, event.sessionEpoch, event.stateEpoch);
    case "fenced":
      return over(state, "unavailable");
    case "rewrite":
      return rewritten(state, event.coreTerm);
  }
}

function entered(state: HandOff, session: LoadingSession, giveUpAtMs: number): HandOffStep {
  const loading: HandOffStep = [
    { phase: "loading", session, giveUpAtMs },
    [{ type: "load", session, afterMs: 0 }],
  ];
  if (state.phase === "absent") return loading;
  const order = compareEpochs(session.sessionEpoch, state.session.sessionEpoch);
  if (order < 0) return [state, [{ type: "refuse", session, kind: "session_taken_over" }]];
  if (order > 0) {
    const [, ending] = over(state, "session_taken_over");
    return [loading[0], [...ending, ...loading[1]]];
  }
  // The same session came back. While it is loading it is admitted when that is done.
  if (state.phase === "loading") return [state, []];
  return [state, [{ type: "admit", session: state.session, stateEpoch: state.stateEpoch }]];
}

function granted(
  state: HandOff,
  { loadId, stateEpoch, coreTerm }: Extract<HandOffEvent, { type: "granted" }>,
): HandOffStep {
  if (!isLoading(state, loadId)) return [state, releaseUnlessOwned(state, stateEpoch)];
  const { session } = state;
  const owned: HandOff = { phase: "owned", session, stateEpoch, coreTerm: stateEpoch[0] };
  // The core may have been restored to before this grant while its answer was on its way.
  const [newest, rewriting] = rewritten(owned, coreTerm);
  return [newest, [{ type: "admit", session, stateEpoch }, ...rewriting]];
}

function again(
  state: HandOff,
  loadId: string,
  { afterMs, yours }: { readonly afterMs: number; readonly yours: Epoch | undefined },
  nowMs: number,
): HandOffStep {
  if (!isLoading(state, loadId)) return [state, []];
  const releasing = yours ? releaseUnlessOwned(state, yours) : [];
  if (nowMs + afterMs > state.giveUpAtMs) {
    const [absent, refusing] = over(state, "unavailable");
    return [absent, [...releasing, ...refusing]];
  }
  return [state, [...releasing, { type: "load", session: state.session, afterMs }]];
}

function left(state: HandOff, sessionEpoch: Epoch): HandOffStep {
  if (state.phase === "absent") return [state, []];
  if (compareEpochs(state.session.sessionEpoch, sessionEpoch) !== 0) return [state, []];
  return [ABSENT, state.phase === "owned" ? release(state.stateEpoch) : []];
}

function wanted(state: HandOff, by: Epoch, stateEpoch: Epoch): HandOffStep {
  const releasing = releaseUnlessOwned(state, stateEpoch);
  if (state.phase === "absent" || compareEpochs(by, state.session.sessionEpoch) <= 0) {
    return [state, releasing];
  }
  const [absent, ending] = over(state, "session_taken_over");
  return [absent, [...ending, ...releasing]];
}

function rewritten(state: HandOff, coreTerm: number): HandOffStep {
  if (state.phase !== "owned" || coreTerm <= state.coreTerm) return [state, []];
  return [{ ...state, coreTerm }, [{ type: "rewrite", stateEpoch: state.stateEpoch }]];
}

/** Whoever is here is not any more. */
function over(state: HandOff, kind: "session_taken_over" | "unavailable"): HandOffStep {
  if (state.phase === "absent") return [state, []];
  const { session } = state;
  if (state.phase === "loading") return [ABSENT, [{ type: "refuse", session, kind }]];
  return [ABSENT, [{ type: "end", session }, ...release(state.stateEpoch)]];
}

function release(stateEpoch: Epoch): HandOffEffect[] {
  return [{ type: "release", stateEpoch }];
}

function releaseUnlessOwned(state: HandOff, stateEpoch: Epoch): HandOffEffect[] {
  const isOwned = state.phase === "owned" && compareEpochs(state.stateEpoch, stateEpoch) === 0;
  return isOwned ? [] : release(stateEpoch);
}

function isLoading(
  state: HandOff,
  loadId: string,
): state is Extract<HandOff, { phase: "loading" }> {
  return state.phase === "loading" && state.session.loadId === loadId;
}
