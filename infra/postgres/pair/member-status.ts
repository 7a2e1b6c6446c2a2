/** What is told of a member, in the terms of Patroni. Pure. */
import type { Serving } from "./pair-step.ts";
import type { StandbyLook } from "./questions.ts";

/** As Patroni would say it of a member. */
export interface MemberStatus {
  readonly role: "primary" | "replica";
  readonly state: "running" | "stopped" | "starting";
  /** Whether it may be told to the core: its term is raised. */
  readonly announced: boolean;
  readonly timeline: number | undefined;
  readonly isSync: boolean;
  readonly isPromotable: boolean;
  /** Of a primary, how far its log is; of a standby, how far it has replayed. */
  readonly walBytes: number | undefined;
  readonly lagBytes: number | undefined;
}

export interface PrimaryKnown {
  /** Its process. */
  readonly runs: boolean;
  readonly answers: boolean;
  readonly announced: boolean;
  readonly answered: (Serving & { readonly timeline: number }) | undefined;
}

export function primaryStatus({ runs, answers, announced, answered }: PrimaryKnown): MemberStatus {
  return {
    role: "primary",
    state: !runs ? "stopped" : answers ? "running" : "starting",
    announced,
    timeline: answered?.timeline,
    isSync: false,
    isPromotable: false,
    walBytes: answered?.walBytes,
    lagBytes: undefined,
  };
}

export interface StandbyKnown {
  /** It runs, or is being made or started. */
  readonly begins: boolean;
  /** Undefined while it does not answer. */
  readonly seen: StandbyLook | undefined;
  readonly isPromotable: boolean;
  readonly primary: Serving | undefined;
}

export function standbyStatus({ begins, seen, isPromotable, primary }: StandbyKnown): MemberStatus {
  const replayed = seen?.replayedBytes;
  const lagBytes =
    replayed !== undefined && primary ? Math.max(0, primary.walBytes - replayed) : undefined;
  return {
    role: "replica",
    state: seen ? "running" : begins ? "starting" : "stopped",
    announced: false,
    timeline: seen?.timeline,
    isSync: primary?.standby?.isSync === true && primary.waits,
    isPromotable,
    walBytes: replayed,
    lagBytes,
  };
}
