/**
 * Joining, renewing a ticket, reconnecting: what `/v1/*` and Colyseus' `/matchmake/*` have in common.
 *
 * A join ranks the regions, grants the player's next session epoch, takes a seat at the best node that
 * gives one, notes where the session is, and signs the ticket for that seat. An epoch that was granted
 * to a join that found no seat fences nobody: only a session that got one replaces the one before, whose
 * end is ordered with the placing and told to its node without holding up the join.
 */

import type { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { GameName, PlayerId } from "../../shared/ids.ts";
import type {
  JoinAnswer,
  RankedRegion,
  ReconnectRequest,
  RenewRequest,
} from "../../shared/protocol/join.ts";
import type { ReserveRequest } from "../../shared/protocol/link.ts";
import type { PlayerAuth, TicketClaims } from "../../shared/protocol/ticket.ts";
import { PROTOCOL_VERSION, speaks } from "../../shared/protocol/version.ts";
import { selectPlayer } from "../accounts/account-store.ts";
import { goneAccount } from "../accounts/accounts.ts";
import { bannedFor, banOf, requireNotBanned } from "../accounts/ban.ts";
import type { Database } from "../db/database.ts";
import type { CallGate } from "../http/call-gate.ts";
import type { Registry } from "../regions/registry.ts";
import type { ReconnectionClaim, ReconnectionTokens } from "../tickets/reconnection-token.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import type { Caller } from "./caller.ts";
import type { Evictions } from "./evictions.ts";
import type { JoinMetrics } from "./join-metrics.ts";
import type { PlayerJoins } from "./player-joins.ts";
import type { RegionFinder } from "./region-finder.ts";
import type { RoomDirectory } from "./room-directory.ts";
import { type Join, type NodesFound, requireAlive, type SeatFinder } from "./seat-finder.ts";
import type { Seats, TakenSeat } from "./seats.ts";
import * as store from "./session-store.ts";

/** The node keeps a seat a little longer than its ticket lives: clocks and networks differ. */
const HOLD_MARGIN_MS = 5_000;
/** A ticket may be shown for renewal this long after its expiry: its seat is still held. */
const RENEW_TOLERANCE_MS = 3_000;

type Renewal = z.output<typeof RenewRequest>;

export interface JoinsDeps {
  readonly registry: Registry;
  readonly seats: Seats;
  readonly directory: RoomDirectory;
  readonly finder: SeatFinder;
  readonly regions: RegionFinder;
  readonly tokens: SignedTokens;
  readonly reconnections: ReconnectionTokens;
  readonly database: Database;
  readonly joinGate: CallGate;
  /** Of renewals and reconnections, which bring no access token. */
  readonly returnGate: CallGate;
  readonly players: PlayerJoins;
  readonly evictions: Pick<Evictions, "tellSoon">;
  readonly clock: Clock;
  readonly metrics: JoinMetrics;
}

/** Who joins. */
export interface Joiner {
  /** Undefined for a guest who is made only once there is a region to ask for a seat. */
  readonly known: PlayerId | undefined;
  make(): Promise<PlayerId>;
}

interface Identified {
  readonly playerId: PlayerId;
  readonly caller: Caller;
}

/** What an answer needs besides the seat. */
interface Placing {
  readonly player: PlayerAuth;
  readonly reconnectionToken: string;
  readonly ranking: readonly RankedRegion[];
}

export class Joins {
  readonly #deps: JoinsDeps;

  constructor(deps: JoinsDeps) {
    this.#deps = deps;
  }

  /**
   * A seat and its ticket.
   * @throws {MeridianError} of many kinds; see the OpenAPI page
   */
  async join(join: Join, joiner: Joiner, caller: Caller): Promise<JoinAnswer> {
    if (join.mode === "joinById" && join.roomId) await this.#deps.directory.settled(join.roomId);
    return this.#measured(join.mode, this.#deps.joinGate, () => this.#join(join, joiner, caller));
  }

  /**
   * The same seat for longer; or one elsewhere, when the room was lost: a ticket is a seat.
   * @throws {MeridianError} `ticket_*`, …
   */
  renew(renewal: Renewal, caller: Caller): Promise<JoinAnswer> {
    return this.#measured("renew", this.#deps.returnGate, () => this.#renew(renewal, caller));
  }

  /** A dropped player's kept seat. @throws {MeridianError} `reconnect_expired`, … */
  async reconnect(request: ReconnectRequest, address: string): Promise<JoinAnswer> {
    const { returnGate, directory } = this.#deps;
    const claim = this.#claimOf(request);
    // Outside of the gate: all players of a room that moves wait here at once.
    await directory.settled(request.roomId);
    return this.#measured("reconnect", returnGate, () => this.#reconnect(request, claim, address));
  }

  async #join(join: Join, { known, make }: Joiner, caller: Caller): Promise<JoinAnswer> {
    requireSpoken(join.protocol);
    const { finder, players } = this.#deps;
    const find = () => finder.nodesFor(join, { address: caller.address, playerId: known });
    if (known !== undefined) {
      // The player's own rate first: the ranking asks the database for them and their friends.
      return await players.run(known, async () =>
        this.#seat(join, await find(), { playerId: known, caller }),
      );
    }
    const found = await find();
    const playerId = await make();
    return await players.run(playerId, () => this.#seat(join, found, { playerId, caller }));
  }

  async #seat(
    join: Join,
    { nodes, game, ranking }: NodesFound,
    { playerId, caller }: Identified,
  ): Promise<JoinAnswer> {
    const { registry, seats, directory, database, reconnections, clock } = this.#deps;
    requireThere(caller);
    const now = new Date(clock.nowMs());
    const granted = await store.grantSessionEpoch(database, playerId, registry.coreTerm, now);
    if (!granted) throw await this.#whyRefused(playerId);
    const player = { playerId, name: granted.name, sessionEpoch: granted.epoch };
    const taken = await seats.takeFirst(nodes, this.#seatRequest(join, game, player), join.mode);
    const giveBack = () => seats.giveBack(taken.node, taken.seat);
    try {
      requireThere(caller);
      await this.#place(taken, player);
      const { roomId, sessionId } = taken.seat;
      directory.note(roomId, { nodeId: taken.node.nodeId, game: taken.seat.game });
      const claim = { playerId, roomId, sessionId, sessionEpoch: granted.epoch };
      const reconnectionToken = reconnections.mint(claim);
      const answer = await this.#answer(taken, { player, reconnectionToken, ranking });
      requireThere(caller);
      // The answer may get lost on its way out still.
      caller.gone.addEventListener("abort", giveBack, { once: true });
      return answer;
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  async #renew(renewal: Renewal, caller: Caller): Promise<JoinAnswer> {
    const claims = await this.#deps.tokens.verifyTicket(renewal.ticket, RENEW_TOLERANCE_MS);
    await this.#requireCurrent(claims.sub, claims.sessionEpoch);
    const { roomId, sessionId, reconnectionToken } = claims;
    const request = { kind: "renew", roomId, sessionId, holdMs: this.#holdMs() } as const;
    try {
      const node = requireAlive(this.#deps.registry.node(claims.aud));
      const seat = await this.#deps.seats.ask(node, request);
      const ranking = this.#deps.regions.rank(caller.address);
      return await this.#answer(
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
    const { finder, players } = this.#deps;
    const join: Join = {
      ...renewal,
      game,
      mode: mode === "create" ? mode : "joinOrCreate",
      protocol: PROTOCOL_VERSION,
    };
    return await players.owed(playerId, async () => {
      const found = await finder.nodesFor(join, { address: caller.address, playerId });
      return await this.#seat(join, found, { playerId, caller });
    });
  }

  /** @throws {MeridianError} `update_required`; `unauthorized` for a token that is not ours */
  #claimOf({ reconnectionToken, roomId, protocol }: ReconnectRequest): ReconnectionClaim {
    requireSpoken(protocol);
    const claim = this.#deps.reconnections.verify(reconnectionToken);
    if (claim?.roomId === roomId) return claim;
    throw new MeridianError("unauthorized", { message: "The reconnection token is not valid." });
  }

  async #reconnect(
    { reconnectionToken }: ReconnectRequest,
    claim: ReconnectionClaim,
    address: string,
  ): Promise<JoinAnswer> {
    const { registry, directory, seats } = this.#deps;
    const { playerId, roomId, sessionId, sessionEpoch } = claim;
    const session = await this.#requireCurrent(playerId, sessionEpoch);
    const nodeId = (await directory.find(roomId))?.nodeId ?? session.nodeId;
    const node = requireAlive(nodeId ? registry.node(nodeId) : undefined);
    const seat = await seats.ask(node, {
      kind: "reconnect",
      playerId,
      roomId,
      sessionId,
      reconnectionToken,
    });
    const player = { playerId, name: session.player.name, sessionEpoch };
    const ranking = this.#deps.regions.rank(address);
    return await this.#answer({ node, seat }, { player, reconnectionToken, ranking });
  }

  #seatRequest(join: Join, game: GameName, player: PlayerAuth): ReserveRequest {
    const { mode, options, roomId } = join;
    const request = { kind: "seat", player, game, mode, options, holdMs: this.#holdMs() } as const;
    return roomId === undefined ? request : { ...request, roomId };
  }

  /** From here on the player's only session is this one. */
  async #place({ node, seat }: TakenSeat, player: PlayerAuth): Promise<void> {
    const { database, evictions, clock } = this.#deps;
    const placed = await store.placeSession(
      database,
      {
        playerId: player.playerId,
        epoch: player.sessionEpoch,
        regionId: node.heartbeat.regionId,
        nodeId: node.nodeId,
        roomId: seat.roomId,
        sessionId: seat.sessionId,
        game: seat.game,
      },
      new Date(clock.nowMs()),
    );
    if (!placed) throw await this.#whyRefused(player.playerId);
    if (placed.overtaken) evictions.tellSoon(placed.overtaken);
  }

  async #answer({ node, seat }: TakenSeat, placing: Placing): Promise<JoinAnswer> {
    const { tokens } = this.#deps;
    const { player, reconnectionToken, ranking } = placing;
    const { regionId } = node.heartbeat;
    const { roomId, sessionId, game } = seat;
    const ticket = await tokens.signTicket({
      aud: node.nodeId,
      sub: player.playerId,
      name: player.name,
      sessionEpoch: player.sessionEpoch,
      regionId,
      game,
      roomId,
      sessionId,
      reconnectionToken,
    });
    return {
      ticket,
      ticketExpiresInMs: tokens.ticketTtlMs,
      reservation: {
        name: game,
        roomId,
        sessionId,
        processId: node.nodeId,
        publicAddress: `${node.heartbeat.publicAddress}/t/${ticket}`,
      },
      regionId,
      ranking: [...ranking],
    };
  }

  /** @throws {MeridianError} `banned`; `session_taken_over` when a newer session has a seat */
  async #requireCurrent(playerId: PlayerId, epoch: Epoch) {
    const session = await store.selectPlacedSession(this.#deps.database, playerId);
    if (!session) throw goneAccount();
    requireNotBanned(session.player, this.#deps.clock.nowMs());
    if (compareEpochs(session.epoch, epoch) > 0) throw new MeridianError("session_taken_over");
    return session;
  }

  /** Why the player's row of sessions did not take this join. */
  async #whyRefused(playerId: PlayerId): Promise<MeridianError> {
    const player = await selectPlayer(this.#deps.database, playerId);
    if (!player) return goneAccount();
    const ban = banOf(player, this.#deps.clock.nowMs());
    return ban ? bannedFor(ban) : new MeridianError("session_taken_over");
  }

  #holdMs(): number {
    return this.#deps.tokens.ticketTtlMs + HOLD_MARGIN_MS;
  }

  async #measured(
    what: string,
    gate: CallGate,
    work: () => Promise<JoinAnswer>,
  ): Promise<JoinAnswer> {
    const { clock, metrics } = this.#deps;
    const startMs = clock.monotonicMs();
    try {
      const answer = await gate.run(work);
      metrics.observe(what, "seated", clock.monotonicMs() - startMs);
      return answer;
    } catch (error) {
      const outcome = isFailure(error) ? error.kind : "internal";
      metrics.observe(what, outcome, clock.monotonicMs() - startMs);
      throw error;
    }
  }
}

function requireSpoken(protocol: number): void {
  if (!speaks(protocol)) throw new MeridianError("update_required");
}

/** Nobody would use the seat, and the player's session before this one may be alive and well. */
function requireThere({ gone }: Caller): void {
  if (gone.aborted) throw new MeridianError("caller_gone");
}

function authOf(claims: TicketClaims): PlayerAuth {
  return { playerId: claims.sub, name: claims.name, sessionEpoch: claims.sessionEpoch };
}
