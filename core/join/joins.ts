/** Joining, renewing a ticket, reconnecting: what `/v1/*` and Colyseus' `/matchmake/*` have in common. */
import type { z } from "zod";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId, RoomId } from "../../shared/ids.ts";
import type {
  JoinAnswer,
  JoinOutcome,
  ReconnectRequest,
  RenewRequest,
} from "../../shared/protocol/join.ts";
import type { ReserveAnswer, ReserveRequest } from "../../shared/protocol/link.ts";
import type { PlayerAuth, TicketClaims } from "../../shared/protocol/ticket.ts";
import { PROTOCOL_VERSION, speaks } from "../../shared/protocol/version.ts";
import type { Admission } from "../admission/admission.ts";
import type { Arrivals } from "../failover/arrivals.ts";
import type { CallGate } from "../http/call-gate.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import type { ReconnectionClaim, ReconnectionTokens } from "../tickets/reconnection-token.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import type { Caller } from "./caller.ts";
import type { EntryDesk } from "./entry-desk.ts";
import type { JoinMetrics } from "./join-metrics.ts";
import type { PlayerJoins } from "./player-joins.ts";
import type { RegionFinder } from "./region-finder.ts";
import { type RoomDirectory, type RoomPlace, SETTLE_MAX_MS } from "./room-directory.ts";
import { type Join, requireAlive, type SeatFinder } from "./seat-finder.ts";
import { REGIONS_TRIED_MAX } from "./seat-search.ts";
import type { Seating } from "./seating.ts";
import type { Seats } from "./seats.ts";

/** A ticket may be shown for renewal this long after its expiry: its seat is still held. */
const RENEW_TOLERANCE_MS = 3_000;
/** A node that did not answer is asked again after so long, unless it is in doubt by then. */
const ASK_AGAIN_MS = 200;

type Renewal = z.output<typeof RenewRequest>;

export interface JoinsDeps {
  readonly desk: EntryDesk;
  readonly admission: Pick<Admission, "opensAtMs">;
  readonly seating: Seating;
  readonly registry: Registry;
  readonly seats: Seats;
  readonly directory: RoomDirectory;
  readonly finder: SeatFinder;
  readonly regions: RegionFinder;
  readonly tokens: SignedTokens;
  readonly reconnections: ReconnectionTokens;
  /** Of renewals and reconnections, which bring no access token. */
  readonly returnGate: CallGate;
  readonly players: PlayerJoins;
  readonly arrivals: Pick<Arrivals, "paces" | "turn" | "door">;
  /** A player says that they can't reach the node that their room is at. */
  readonly onUnreachable: (playerId: PlayerId, nodeId: NodeId) => void;
  readonly clock: Clock;
  readonly metrics: JoinMetrics;
}

/** Who joins. */
export interface Joiner {
  /** Undefined for a guest who is made only once there is a region to ask for a seat. */
  readonly known: PlayerId | undefined;
  make(): Promise<PlayerId>;
}

export class Joins {
  readonly #deps: JoinsDeps;

  constructor(deps: JoinsDeps) {
    this.#deps = deps;
  }

  /**
   * A seat and its ticket, or a place in a queue for a client that can wait.
   * @throws {MeridianError} of many kinds; see the OpenAPI page
   */
  async join(join: Join, joiner: Joiner, caller: Caller): Promise<JoinOutcome> {
    if (join.mode === "joinById" && join.roomId) await this.#deps.directory.settled(join.roomId);
    return this.#measured(join.mode, () => this.#join(join, joiner, caller));
  }

  /**
   * The same seat for longer; or one elsewhere, when the room was lost: a ticket is a seat.
   * @throws {MeridianError} `ticket_*`, …
   */
  renew(renewal: Renewal, caller: Caller): Promise<JoinAnswer> {
    const { returnGate, tokens } = this.#deps;
    return this.#measured("renew", async () => {
      const claims = await tokens.verifyTicket(renewal.ticket, RENEW_TOLERANCE_MS);
      const renew = () => returnGate.run(() => this.#renew(claims, renewal, caller));
      return await this.#patiently(claims.roomId, () => renew());
    });
  }

  /** A dropped player's kept seat. @throws {MeridianError} `reconnect_expired`, … */
  async reconnect(request: ReconnectRequest, address: string): Promise<JoinAnswer> {
    const { returnGate, arrivals } = this.#deps;
    const claim = this.#claimOf(request);
    // Before the waiting: it is part of what that waits for.
    if (request.unreachable) await this.#hearUnreachable(claim, request.unreachable);
    return await this.#measured("reconnect", () =>
      this.#patiently(claim.roomId, async (settledAt, endsAtMs) => {
        const place = await this.#turn(claim, settledAt, endsAtMs);
        const reconnect = () => this.#reconnect(request, claim, { place, address });
        const answer = await returnGate.run(reconnect);
        if (place && arrivals.paces(claim.roomId)) await arrivals.door(place.nodeId, endsAtMs);
        return answer;
      }),
    );
  }

  /**
   * Waits while the room is on its way or its node in doubt: outside of the gate, because all players of a region
   * may wait here at once. A node that then does not answer is one more reason to doubt it, and is asked again
   * when that is decided; so is whoever has the room next, when its node is lost meanwhile.
   */
  async #patiently(
    roomId: RoomId,
    attempt: (settledAt: RoomPlace | undefined, endsAtMs: number) => Promise<JoinAnswer>,
  ): Promise<JoinAnswer> {
    const { clock, directory } = this.#deps;
    const endsAtMs = clock.monotonicMs() + SETTLE_MAX_MS;
    for (;;) {
      const settledAt = await directory.settled(roomId);
      try {
        return await attempt(settledAt, endsAtMs);
      } catch (error) {
        if (clock.monotonicMs() + ASK_AGAIN_MS >= endsAtMs) throw error;
        // The room may have lost its node in the middle of the attempt.
        const lost = isFailure(error, "room_not_found") && !(await directory.isSettled(roomId));
        if (!lost && !(error instanceof NodeSilent)) throw error;
      }
      await sleep(clock, ASK_AGAIN_MS);
    }
  }

  /** Players of a room that was failed over come one after the other. @returns where the room is by then */
  async #turn(
    { playerId, roomId }: ReconnectionClaim,
    settledAt: RoomPlace | undefined,
    endsAtMs: number,
  ): Promise<RoomPlace | undefined> {
    const { arrivals, directory } = this.#deps;
    if (!settledAt || !arrivals.paces(roomId)) return settledAt;
    await arrivals.turn(playerId, settledAt.nodeId, endsAtMs);
    return await directory.find(roomId);
  }

  async #join(join: Join, { known, make }: Joiner, caller: Caller): Promise<JoinOutcome> {
    requireSpoken(join.protocol);
    const { desk, players } = this.#deps;
    if (known === undefined) await desk.placesForNew(join, caller.address);
    const playerId = known ?? (await make());
    const comesBack = known !== undefined;
    return await players.run(playerId, () => desk.admit(join, { playerId, caller, comesBack }));
  }

  async #renew(claims: TicketClaims, renewal: Renewal, caller: Caller): Promise<JoinAnswer> {
    await this.#deps.seating.requireCurrent(claims.sub, claims.sessionEpoch);
    const { roomId, sessionId, reconnectionToken } = claims;
    const request = {
      kind: "renew",
      roomId,
      sessionId,
      holdMs: this.#deps.seating.holdMs,
    } as const;
    try {
      const node = requireAlive(this.#deps.registry.node(claims.aud));
      const seat = await this.#ask(node, request);
      const ranking = this.#deps.regions.rank(caller.address);
      return await this.#deps.seating.answer(
        { node, seat },
        { player: authOf(claims), reconnectionToken, ranking },
      );
    } catch (error) {
      if (!isFailure(error, "room_not_found")) throw error;
      return await this.#seatElsewhere(claims, renewal, caller);
    }
  }

  /**
   * For a player whose room was lost before arrival: past the gate and the rate of joins (with one of its own), in whichever
   * region has a place, even if another room or region was asked for.
   */
  async #seatElsewhere(
    { sub: playerId, game }: TicketClaims,
    { ticket: _, mode, ...renewal }: Renewal,
    caller: Caller,
  ): Promise<JoinAnswer> {
    const { admission, finder, players, seating } = this.#deps;
    const join: Join = {
      ...renewal,
      game,
      mode: mode === "create" ? mode : "joinOrCreate",
      protocol: PROTOCOL_VERSION,
    };
    // The player's own rate first: the ranking asks the database for them and their friends.
    return await players.owed(playerId, async () => {
      const places = await finder.placesFor(join, { address: caller.address, playerId });
      const nodes = places.choices
        .filter(({ regionId }) => admission.opensAtMs(regionId) === undefined)
        .flatMap(({ regionId }) => places.nodeIn(regionId) ?? []);
      if (nodes.length === 0) throw new MeridianError("region_full");
      const { ranking } = places;
      const wish = { join, game: places.game, nodes: nodes.slice(0, REGIONS_TRIED_MAX), ranking };
      return await seating.take(wish, { playerId, caller });
    });
  }

  /** @throws {MeridianError} `update_required`; `unauthorized` for a token that is not ours */
  #claimOf({ reconnectionToken, roomId, protocol }: ReconnectRequest): ReconnectionClaim {
    requireSpoken(protocol);
    const claim = this.#deps.reconnections.verify(reconnectionToken);
    if (claim?.roomId === roomId) return claim;
    throw new MeridianError("unauthorized", { message: "The reconnection token is not valid." });
  }

  /** Nobody's word counts about a node that they were not sent to. */
  async #hearUnreachable({ playerId, roomId }: ReconnectionClaim, nodeId: NodeId): Promise<void> {
    const place = await this.#deps.directory.find(roomId);
    if (place?.nodeId !== nodeId) return;
    this.#deps.metrics.unreachable();
    this.#deps.onUnreachable(playerId, nodeId);
  }

  async #reconnect(
    { reconnectionToken }: ReconnectRequest,
    claim: ReconnectionClaim,
    { place, address }: { readonly place: RoomPlace | undefined; readonly address: string },
  ): Promise<JoinAnswer> {
    const { registry } = this.#deps;
    const { playerId, roomId, sessionId, sessionEpoch } = claim;
    const session = await this.#deps.seating.requireCurrent(playerId, sessionEpoch);
    const nodeId = place?.nodeId ?? session.nodeId;
    const node = requireAlive(nodeId ? registry.node(nodeId) : undefined);
    const seat = await this.#ask(node, {
      kind: "reconnect",
      playerId,
      roomId,
      sessionId,
      reconnectionToken,
    });
    const player = { playerId, name: session.player.name, sessionEpoch };
    const ranking = this.#deps.regions.rank(address);
    return await this.#deps.seating.answer({ node, seat }, { player, reconnectionToken, ranking });
  }

  /** @throws {NodeSilent} when the node did not answer; {MeridianError} its refusal */
  async #ask(node: NodeRecord, request: ReserveRequest): Promise<ReserveAnswer> {
    try {
      return await this.#deps.seats.ask(node, request);
    } catch (error) {
      if (isFailure(error, "unavailable") || isFailure(error, "timeout"))
        throw new NodeSilent(error);
      throw error;
    }
  }

  async #measured<T extends JoinOutcome>(what: string, work: () => Promise<T>): Promise<T> {
    const { clock, metrics } = this.#deps;
    const startMs = clock.monotonicMs();
    try {
      const answer = await work();
      const outcome = "queue" in answer ? "queued" : "seated";
      metrics.observe(what, outcome, clock.monotonicMs() - startMs);
      return answer;
    } catch (error) {
      const outcome = isFailure(error) ? error.kind : "internal";
      metrics.observe(what, outcome, clock.monotonicMs() - startMs);
      throw error;
    }
  }
}

/** A node did not answer, or not in time. */
class NodeSilent extends MeridianError {
  constructor(cause: MeridianError) {
    super(cause.kind, { message: cause.message, cause });
  }
}

function requireSpoken(protocol: number): void {
  if (!speaks(protocol)) throw new MeridianError("update_required");
}

function authOf(claims: TicketClaims): PlayerAuth {
  return { playerId: claims.sub, name: claims.name, sessionEpoch: claims.sessionEpoch };
}
