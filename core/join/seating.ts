/**
 * Takes a player's seat: grants their next session epoch, asks the node, notes where the session is, and signs
 * the ticket for that seat. An epoch that was granted to a join that found no seat fences nobody: only a session
 * that got one replaces the one before, whose end is ordered with the placing and told to its node without
 * holding up the join.
 */
import type { Clock } from "../../shared/clock.ts";
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { GameName, PlayerId } from "../../shared/ids.ts";
import type { JoinAnswer, RankedRegion } from "../../shared/protocol/join.ts";
import type { ReserveRequest } from "../../shared/protocol/link.ts";
import type { PlayerAuth } from "../../shared/protocol/ticket.ts";
import { selectPlayer } from "../accounts/account-store.ts";
import { goneAccount } from "../accounts/accounts.ts";
import { bannedFor, banOf, requireNotBanned } from "../accounts/ban.ts";
import type { Database } from "../db/database.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import type { ReconnectionTokens } from "../tickets/reconnection-token.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import type { Caller } from "./caller.ts";
import type { Evictions } from "./evictions.ts";
import type { RoomDirectory } from "./room-directory.ts";
import type { Join } from "./seat-finder.ts";
import type { Seats, TakenSeat } from "./seats.ts";
import * as store from "./session-store.ts";

/**
 * The node keeps a seat a little longer than its ticket lives, as clocks and networks differ: so little that a
 * lapsed one is given to the next within 5 s, a heartbeat and a call included.
 */
const HOLD_MARGIN_MS = 4_000;

export interface SeatingDeps {
  readonly registry: Pick<Registry, "coreTerm">;
  readonly seats: Seats;
  readonly directory: RoomDirectory;
  readonly tokens: SignedTokens;
  readonly reconnections: ReconnectionTokens;
  readonly database: Database;
  readonly evictions: Pick<Evictions, "tellSoon">;
  readonly clock: Clock;
}

/** A player whose log-in was checked, and the connection that they ask on. */
export interface Identified {
  readonly playerId: PlayerId;
  readonly caller: Caller;
}

/** Where a seat is asked for. */
export interface SeatWish {
  readonly join: Join;
  readonly game: GameName;
  /** Asked one after the other. */
  readonly nodes: readonly NodeRecord[];
  readonly ranking: readonly RankedRegion[];
  /** Told as soon as a node has given the seat, and so counts it. */
  readonly onGranted?: () => void;
}

/** What an answer needs besides the seat. */
export interface Placing {
  readonly player: PlayerAuth;
  readonly reconnectionToken: string;
  readonly ranking: readonly RankedRegion[];
}

export class Seating {
  readonly #deps: SeatingDeps;

  constructor(deps: SeatingDeps) {
    this.#deps = deps;
  }

  /** @throws {MeridianError} why no node gave one; `caller_gone`, `banned`, `session_taken_over` */
  async take(wish: SeatWish, { playerId, caller }: Identified): Promise<JoinAnswer> {
    const { registry, seats, directory, database, reconnections, clock } = this.#deps;
    const { join, game, nodes, ranking } = wish;
    requireThere(caller);
    const now = new Date(clock.nowMs());
    const granted = await store.grantSessionEpoch(database, playerId, registry.coreTerm, now);
    if (!granted) throw await this.#whyRefused(playerId);
    const player = { playerId, name: granted.name, sessionEpoch: granted.epoch };
    const taken = await seats.takeFirst(nodes, this.#request(join, game, player), join.mode);
    wish.onGranted?.();
    const giveBack = () => seats.giveBack(taken.node, taken.seat);
    try {
      requireThere(caller);
      await this.#place(taken, player);
      const { roomId, sessionId } = taken.seat;
      directory.note(roomId, { nodeId: taken.node.nodeId, game: taken.seat.game });
      const claim = { playerId, roomId, sessionId, sessionEpoch: granted.epoch };
      const reconnectionToken = reconnections.mint(claim);
      const answer = await this.answer(taken, { player, reconnectionToken, ranking });
      requireThere(caller);
      // The answer may get lost on its way out still.
      caller.gone.addEventListener("abort", giveBack, { once: true });
      return answer;
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /** The ticket for a seat that the player has. */
  async answer({ node, seat }: TakenSeat, placing: Placing): Promise<JoinAnswer> {
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
  async requireCurrent(playerId: PlayerId, epoch: Epoch) {
    const session = await store.selectPlacedSession(this.#deps.database, playerId);
    if (!session) throw goneAccount();
    requireNotBanned(session.player, this.#deps.clock.nowMs());
    if (compareEpochs(session.epoch, epoch) > 0) throw new MeridianError("session_taken_over");
    return session;
  }

  /** How long a node keeps a seat for its ticket. */
  get holdMs(): number {
    return this.#deps.tokens.ticketTtlMs + HOLD_MARGIN_MS;
  }

  #request(join: Join, game: GameName, player: PlayerAuth): ReserveRequest {
    const { mode, options, roomId } = join;
    const { holdMs } = this;
    const request = { kind: "seat", player, game, mode, options, holdMs } as const;
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

  /** Why the player's row of sessions did not take this join. */
  async #whyRefused(playerId: PlayerId): Promise<MeridianError> {
    const player = await selectPlayer(this.#deps.database, playerId);
    if (!player) return goneAccount();
    const ban = banOf(player, this.#deps.clock.nowMs());
    return ban ? bannedFor(ban) : new MeridianError("session_taken_over");
  }
}

/** Nobody would use the seat, and the player's session before this one may be alive and well. */
function requireThere({ gone }: Caller): void {
  if (gone.aborted) throw new MeridianError("caller_gone");
}
