/**
 * How places outlive the core's memory: from the mirror when the core starts, else from the tokens that waiting
 * clients show. For as long as those take to show them nobody is let in where somebody waited.
 */
import type { Logger } from "pino";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import {
  QUEUE_HIDDEN_GRACE_MS,
  QUEUE_POLL_MS_MAX,
  type QueueClaim,
} from "../../shared/protocol/queue.ts";
import type { AdmissionMetrics } from "./admission-metrics.ts";
import type { Openings } from "./openings.ts";
import type { PlayerStandings } from "./player-standing.ts";
import { PRESENCE_SLACK_MS } from "./poll-delay.ts";
import type { QueueTokens } from "./queue-token.ts";
import type { Mirror, WaitingRecord } from "./waiting-log.ts";
import type { WaitingRooms } from "./waiting-rooms.ts";

export interface RecoveryDeps {
  readonly rooms: WaitingRooms;
  /** When this core began, ms since 1970. */
  readonly life: number;
  readonly nowMs: () => number;
  readonly tokens: QueueTokens;
  readonly standings: PlayerStandings;
  readonly openings: Pick<Openings, "drawFor">;
  readonly mirror: Mirror;
  readonly record: WaitingRecord;
  readonly log: Logger;
  readonly metrics: AdmissionMetrics;
}

export class Recovery {
  readonly #deps: RecoveryDeps;

  constructor(deps: RecoveryDeps) {
    this.#deps = deps;
  }

  /** When the core starts, before anybody is let in. */
  async recover(): Promise<void> {
    const { rooms, life, nowMs, mirror, record, log, metrics } = this.#deps;
    const claims = await mirror.load();
    // As long as the slowest client's poll may take nobody of them is passed by one who asks sooner.
    const presentUntilMs = nowMs() + QUEUE_POLL_MS_MAX + PRESENCE_SLACK_MS;
    for (const claim of claims ?? []) {
      if (this.#restoreDrawn(claim, presentUntilMs)) metrics.restored("mirror");
    }
    if (claims !== undefined) {
      if (claims.length > 0) log.info({ places: claims.length }, "the queue is as it was");
      return;
    }
    const waited = await record.waitedSince(life - QUEUE_HIDDEN_GRACE_MS);
    for (const regionId of waited) rooms.pause(regionId, life + QUEUE_POLL_MS_MAX);
    if (waited.length === 0) return;
    const details = { regionIds: waited, pauseMs: QUEUE_POLL_MS_MAX, runbook: "core-queue-lost" };
    log.error(details, "the queue is lost: it is made anew from the tokens of those who wait");
  }

  /**
   * Finds the player's place again after the core or its Redis was lost, if the token is of before that.
   * @throws {MeridianError} `place_lost`; `forbidden` for another player's
   */
  async restore(token: string, playerId?: PlayerId): Promise<QueueClaim> {
    const { rooms, tokens, standings, metrics } = this.#deps;
    const claim = tokens.verify(token);
    if (!claim) throw new MeridianError("place_lost");
    if (playerId !== undefined && claim.playerId !== playerId) throw new MeridianError("forbidden");
    if (rooms.find(claim.playerId) || !this.#isOfBefore(claim)) return claim;
    const row = await standings.find(claim.playerId);
    // A token that was shown already: its seat was given meanwhile.
    const used = row?.placed_at && row.placed_at.getTime() >= claim.seenMs;
    if (row && !used && this.#restoreDrawn(claim)) metrics.restored("token");
    return claim;
  }

  /** A number that could not be told before an opening is drawn again, also after it. */
  #restoreDrawn(claim: QueueClaim, presentUntilMs?: number): boolean {
    const { rooms, openings } = this.#deps;
    const nowMs = this.#deps.nowMs();
    const places = claim.places.map(([regionId, told]): [RegionId, number] => {
      if (told !== 0) return [regionId, told];
      const draw = openings.drawFor(regionId, claim.seenMs);
      const queue = rooms.queues.get(regionId);
      return [regionId, draw?.numberOf(claim.leader) ?? queue?.number(claim.leader, nowMs) ?? 0];
    });
    const drawn = claim.places.flatMap(([regionId, told]) => (told === 0 ? regionId : []));
    const options = { drawn, ...(presentUntilMs !== undefined && { presentUntilMs }) };
    return rooms.restore({ ...claim, places }, nowMs, options);
  }

  /** A token of this life says nothing that is not known; one of a former life counts within its grace. */
  #isOfBefore({ life, seenMs, graceMs }: QueueClaim): boolean {
    const own = this.#deps.life;
    if (life >= own || this.#deps.nowMs() > own + graceMs) return false;
    return own - seenMs <= graceMs;
  }
}
