/**
 * Ranks the regions for a party, by the member who fares worst there. Pure.
 *
 * No member is sent past their cap while the party stays together: a region is eligible only when it is within
 * the cap of each. The cap relaxes while the party waits, up to `CAP_MAX_MS`, and is never less than a
 * little above a member's own best: no choice could help one who is far from everywhere. That holds too where
 * one of them insists on a region (`only`).
 *
 * So what one member claims to have measured can take regions away from the party, and make it wait, but
 * never send anybody else further than their own cap.
 */
import type { RegionId } from "../../shared/ids.ts";
import type { Candidate } from "./candidates.ts";
import { arcKm, type Coordinates, onSphere } from "./great-circle.ts";
import { compareRanked, isWanted, type Measured, type Ranked, wayTo } from "./ranking.ts";

/** What every member has to bear at once, ms. */
export const CAP_MS = 80;
/** How much more with each second of waiting. */
export const CAP_MS_PER_SECOND = 10;
export const CAP_MAX_MS = 250;
/** How far above their own best region any member may be sent. */
export const CAP_SLACK_MS = 30;

export interface PartyMember extends Measured {
  readonly place: Coordinates;
}

export interface PartyRequest {
  /** At least one. */
  readonly members: readonly PartyMember[];
  /** Since the party first asked. */
  readonly waitedMs: number;
  readonly only?: RegionId | undefined;
  readonly avoid?: readonly RegionId[] | undefined;
}

/** What a member has to bear after the party waited so long, ms. */
export function capAfterMs(waitedMs: number): number {
  return Math.min(CAP_MAX_MS, CAP_MS + (waitedMs / 1_000) * CAP_MS_PER_SECOND);
}

/**
 * All candidates, the best for the party first. Of each, the round trip is that of its worst placed member;
 * what nobody feels is not rounded off, since a party is together wherever it goes.
 */
export function rankParty(candidates: readonly Candidate[], request: PartyRequest): Ranked[] {
  const { members, waitedMs } = request;
  const ways = members.map((member) => waysOf(member, candidates));
  const caps = ways.map((ofMember) => {
    const best = Math.min(
      ...ofMember.flatMap(({ roundTripMs }, index) => {
        const isOpen = candidates[index]?.obstacle === undefined;
        return isOpen ? [roundTripMs] : [];
      }),
    );
    return Math.max(capAfterMs(waitedMs), best + CAP_SLACK_MS);
  });
  return candidates
    .map((candidate, index) => {
      const here = ways.flatMap((ofMember) => ofMember[index] ?? []);
      const worst = here.reduce((a, b) => (b.roundTripMs > a.roundTripMs ? b : a));
      const within = here.every(({ roundTripMs }, member) => roundTripMs <= (caps[member] ?? 0));
      return {
        candidate,
        eligible:
          candidate.obstacle === undefined && isWanted(candidate.regionId, request) && within,
        ...worst,
        latencyMs: worst.roundTripMs,
        loadMs: candidate.loadMs,
        homeMs: 0,
        friendsMs: 0,
        score: worst.roundTripMs + candidate.loadMs,
      };
    })
    .sort(compareRanked);
}

function waysOf(member: PartyMember, candidates: readonly Candidate[]) {
  const from = onSphere(member.place);
  return candidates.map(({ regionId, point }) => {
    const km = arcKm(from, point);
    return { km, ...wayTo(regionId, km, member) };
  });
}
