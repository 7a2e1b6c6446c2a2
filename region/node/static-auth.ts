/**
 * A room class' own `static onAuth`, which stock Colyseus runs when a seat is asked for. So do we, at
 * the node, before there is a seat in a room: who is refused costs none.
 *
 * It gets what the node knows: the options of the join and the player, whom the core has authenticated.
 * The token of that log-in stays at the core, because with it a region could act for the player
 * everywhere; nor does the core pass on headers or the address of the request.
 */
import { type AuthContext, Room } from "@colyseus/core";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { JoinOptions } from "../../shared/protocol/join.ts";
import type { PlayerAuth } from "../../shared/protocol/ticket.ts";
import { GameRoom } from "../rooms/game-room.ts";
import type { RoomClass } from "./room-guard.ts";

/** Less than the core waits for a seat. */
const AUTH_DEADLINE_MS = 1_000;
const REASON_LENGTH_MAX = 200;

/** What a `static onAuth` gets as its context. */
export interface SeatAuthContext extends AuthContext {
  readonly player: PlayerAuth;
}

/** Who asks for a seat, and what for. */
export interface Newcomer {
  readonly player: PlayerAuth;
  readonly options: JoinOptions;
}

type StaticAuth = (
  token: undefined,
  options: JoinOptions,
  context: SeatAuthContext,
) => Promise<unknown>;

/**
 * What will be `client.auth`: in a plain room the object that the class answered with, or else the
 * player, who is what a `GameRoom` always gets.
 * @throws {MeridianError} `forbidden` when the class refuses, by its answer or by throwing, with what it
 *   said; `timeout` when it takes too long
 */
export async function authenticate(
  roomClass: RoomClass,
  { player, options }: Newcomer,
  clock: Clock,
): Promise<unknown> {
  const { onAuth } = roomClass as RoomClass & { readonly onAuth?: StaticAuth };
  if (!onAuth || Object.is(onAuth, Room.onAuth)) return player;
  const context = { ip: undefined, headers: new Headers(), player };
  const answered = new AbortController();
  const late = sleep(clock, AUTH_DEADLINE_MS, answered.signal).then(() => {
    throw new MeridianError("timeout", { message: "The game took too long to let you in." });
  });
  const answer = Promise.resolve().then(() => onAuth.call(roomClass, undefined, options, context));
  // Whichever is later answers to nobody.
  for (const either of [answer, late]) either.catch(() => undefined);
  try {
    const auth = await Promise.race([answer, late]);
    if (auth === false || auth === null || auth === undefined) throw new MeridianError("forbidden");
    return auth === true || roomClass.prototype instanceof GameRoom ? player : auth;
  } catch (error) {
    throw isFailure(error) ? error : refusal(error);
  } finally {
    answered.abort();
  }
}

function refusal(cause: unknown): MeridianError {
  const message = cause instanceof Error ? cause.message.slice(0, REASON_LENGTH_MAX) : "";
  return new MeridianError("forbidden", { cause, ...(message !== "" && { message }) });
}
