/** For tests: tickets as the core makes them, or wrong in any way that a test wants. */
import { type KeyObject, randomUUID, sign } from "node:crypto";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import type { SeatReservation } from "../../shared/protocol/join.ts";
import type { ReserveAnswer } from "../../shared/protocol/link.ts";
import { TICKET_TYP, type TicketClaims, TOKEN_ISSUER } from "../../shared/protocol/ticket.ts";

export const TEST_KEY_ID = "key-1";

export function signTicket(key: KeyObject, claims: object, header: object = {}): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const full = { alg: "EdDSA", typ: TICKET_TYP, kid: TEST_KEY_ID, ...header };
  const signed = `${encode(full)}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

/** Claims for a seat that a node answered with, good for a minute. */
export function claimsFor(
  seat: ReserveAnswer,
  playerId: PlayerId,
  wrong: Partial<TicketClaims> = {},
): TicketClaims {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: TOKEN_ISSUER,
    aud: seat.nodeId,
    sub: playerId,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
    name: "Ada",
    sessionEpoch: [1, 1],
    regionId: "testing",
    game: seat.game,
    roomId: seat.roomId,
    sessionId: seat.sessionId,
    reconnectionToken: randomUUID().replaceAll("-", ""),
    ...wrong,
  } as TicketClaims;
}

/** What a stock client takes as the answer to a join. */
export function reservationFor(
  seat: ReserveAnswer,
  address: string,
  ticket: string,
): SeatReservation {
  const { nodeId: processId, roomId, sessionId, game: name } = seat;
  return { name, roomId, sessionId, processId, publicAddress: `${address}/t/${ticket}` };
}

export function newPlayerId(): PlayerId {
  return PlayerId.parse(uuidV7(Date.now(), crypto.getRandomValues(new Uint8Array(10))));
}

/** Waits for a condition; fails after ten seconds. */
export async function until(done: () => boolean, what = "the condition"): Promise<void> {
  const endsAtMs = performance.now() + 10_000;
  while (!done()) {
    if (performance.now() > endsAtMs) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
