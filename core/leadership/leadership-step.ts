/**
 * Who leads, as one core process sees it: follows, leads, or leads no longer and is about to end. Pure.
 *
 * A leader renews its lease once a second. The lease counts from the sending of the last renewal that succeeded, on
 * this process's own clock, so it is over here before the database gives it to another. Past it the process is
 * sure of nothing, and asks the database before it goes on; it stood still, or the database is away. In the
 * latter case nobody else can come to lead either, and it goes on with what needs no database.
 *
 * A follower looks at the lease a few times a second and takes one that is over. After the database was away it
 * gives the former leader a head start, who has the queue and the regions in memory. A former life of its own
 * name is gone for certain, as the two would listen on one port, so it waits for nothing then.
 *
 * Once another leads, or the core's term was raised, there is no way back: the process ends.
 */

export const LEASE_MS = 3_000;
export const RENEW_PERIOD_MS = 1_000;
/** After a renewal that failed. */
const RENEW_AGAIN_MS = 250;
const LOOK_MIN_MS = 250;
const LOOK_MAX_MS = 500;
export const HEAD_START_MS = 1_000;

/** One reign: the pair is never given twice, also after a restore from a backup. */
export interface Lead {
  readonly term: number;
  /** Of epochs; a restore or a promotion raises it. */
  readonly coreTerm: number;
}

/** What the database says of the lease. */
export interface LeaseRow extends Lead {
  readonly holder: string;
  /** Of the database now; the lease's own is `coreTerm`. */
  readonly coreTermNow: number;
  /** Until it is over, ms; 0 or less when it is. */
  readonly leftMs: number;
}

export type LeadershipState =
  | {
      readonly role: "following";
      readonly name: string;
      readonly known: LeaseRow | undefined;
      readonly nextLookMs: number;
      readonly asking: boolean;
      /** The last look found no database. */
      readonly wasAway: boolean;
      readonly notBeforeMs: number;
    }
  | {
      readonly role: "leading";
      readonly lead: Lead;
      readonly leaseUntilMs: number;
      readonly nextRenewalMs: number;
      readonly asking: boolean;
      /** The last renewal found no database. */
      readonly isAway: boolean;
    }
  | { readonly role: "over"; readonly because: Over };

export type Over = "another_leads" | "core_term_raised" | "refused_commit" | "given_back";

export type LeadershipEvent =
  /** @param random from 0 to 1 */
  | { readonly type: "tick"; readonly random: number }
  /** The row, as a follower's look found it. */
  | { readonly type: "seen"; readonly row: LeaseRow }
  | { readonly type: "taken"; readonly lead: Lead; readonly sentMs: number }
  /** Another was quicker. */
  | { readonly type: "notTaken" }
  | { readonly type: "renewed"; readonly sentMs: number }
  | { readonly type: "notRenewed"; readonly row: LeaseRow }
  /** No answer from the database. */
  | { readonly type: "away" }
  /** The database refused a transaction, because it was not the leader's. */
  | { readonly type: "refused" }
  | { readonly type: "givenBack" };

export type LeadershipEffect =
  | { readonly type: "look" }
  | { readonly type: "take" }
  | { readonly type: "renew"; readonly lead: Lead }
  | { readonly type: "lead"; readonly lead: Lead }
  | { readonly type: "end"; readonly because: Over };

/**
 * `starting`: elected, and the leader's parts start. `sure`: the lease is valid. `unsure`: it is over and has to be asked
 * for. `alone`: it is over, and the database away.
 */
export const STANDINGS = ["following", "starting", "sure", "unsure", "alone", "over"] as const;
export type Standing = (typeof STANDINGS)[number];

export function follower(name: string, nowMs: number): LeadershipState {
  const at = { nextLookMs: nowMs, notBeforeMs: nowMs };
  return { role: "following", name, known: undefined, asking: false, wasAway: false, ...at };
}

export function standingOf(state: LeadershipState, nowMs: number): Exclude<Standing, "starting"> {
  if (state.role !== "leading") return state.role;
  if (nowMs < state.leaseUntilMs) return "sure";
  return state.isAway ? "alone" : "unsure";
}

/** @param nowMs monotonic */
export function leadershipStep(
  state: LeadershipState,
  event: LeadershipEvent,
  nowMs: number,
): [LeadershipState, readonly LeadershipEffect[]] {
  if (state.role === "following") return followingStep(state, event, nowMs);
  if (state.role === "leading") return leadingStep(state, event, nowMs);
  return [state, []];
}

type Following = Extract<LeadershipState, { role: "following" }>;
type Leading = Extract<LeadershipState, { role: "leading" }>;
type Stepped = [LeadershipState, readonly LeadershipEffect[]];

function followingStep(state: Following, event: LeadershipEvent, nowMs: number): Stepped {
  switch (event.type) {
    case "tick": {
      if (state.asking || nowMs < state.nextLookMs) return [state, []];
      const pauseMs = LOOK_MIN_MS + event.random * (LOOK_MAX_MS - LOOK_MIN_MS);
      return [{ ...state, asking: true, nextLookMs: nowMs + pauseMs }, [{ type: "look" }]];
    }
    case "seen": {
      const notBeforeMs = state.wasAway ? nowMs + HEAD_START_MS : state.notBeforeMs;
      const next = { ...state, known: event.row, wasAway: false, notBeforeMs };
      if (!isFree(event.row, state.name, nowMs >= notBeforeMs)) {
        return [{ ...next, asking: false }, []];
      }
      return [next, [{ type: "take" }]];
    }
    case "taken": {
      const { lead, sentMs } = event;
      // It stood still since: another may lead by now.
      if (nowMs >= sentMs + LEASE_MS) return [{ ...state, asking: false }, []];
      const begun = { leaseUntilMs: sentMs + LEASE_MS, nextRenewalMs: sentMs + RENEW_PERIOD_MS };
      const leading = { role: "leading", lead, asking: false, isAway: false, ...begun } as const;
      return [leading, [{ type: "lead", lead }]];
    }
    case "away":
      return [{ ...state, asking: false, wasAway: true }, []];
    case "notTaken":
      return [{ ...state, asking: false }, []];
    case "givenBack":
      return [{ role: "over", because: "given_back" }, []];
    default:
      return [state, []];
  }
}

/** @param waited whether the former leader has had its head start */
function isFree({ holder, leftMs }: LeaseRow, name: string, waited: boolean): boolean {
  return holder === name || (leftMs <= 0 && waited);
}

function leadingStep(state: Leading, event: LeadershipEvent, nowMs: number): Stepped {
  switch (event.type) {
    case "tick": {
      if (state.asking || nowMs < state.nextRenewalMs) return [state, []];
      const { lead } = state;
      const nextRenewalMs = nowMs + RENEW_PERIOD_MS;
      return [{ ...state, asking: true, nextRenewalMs }, [{ type: "renew", lead }]];
    }
    case "renewed": {
      const leaseUntilMs = Math.max(state.leaseUntilMs, event.sentMs + LEASE_MS);
      return [{ ...state, asking: false, isAway: false, leaseUntilMs }, []];
    }
    case "notRenewed": {
      const raised = event.row.coreTermNow !== state.lead.coreTerm;
      return over(raised ? "core_term_raised" : "another_leads");
    }
    case "refused":
      return over("refused_commit");
    case "away": {
      const nextRenewalMs = Math.min(state.nextRenewalMs, nowMs + RENEW_AGAIN_MS);
      return [{ ...state, asking: false, isAway: true, nextRenewalMs }, []];
    }
    case "givenBack":
      return [{ role: "over", because: "given_back" }, []];
    default:
      return [state, []];
  }
}

function over(because: Over): Stepped {
  return [{ role: "over", because }, [{ type: "end", because }]];
}
