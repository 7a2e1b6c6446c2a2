/**
 * Verifies a join ticket offline. Synchronous, because it runs inside the upgrade handler, where the
 * request is valid only until the handler returns: 74 µs a ticket, nearly all of it Ed25519.
 *
 * The signature is checked before the payload is parsed, so nothing unsigned reaches a parser
 * besides the small header.
 */
import { type KeyObject, verify } from "node:crypto";
import { z } from "zod";
import type { ErrorKind } from "../../shared/errors.ts";
import type { NodeId, RoomId, SessionId } from "../../shared/ids.ts";
import { TICKET_TYP, TicketClaims, TOKEN_ALG } from "../../shared/protocol/ticket.ts";

export const TICKET_LENGTH_MAX = 2048;
const SHAPE = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;
const SIGNATURE_BYTES = 64;

const Header = z.object({
  alg: z.literal(TOKEN_ALG),
  typ: z.literal(TICKET_TYP),
  kid: z.string().max(64),
});

export interface TicketQuestion {
  readonly ticket: string;
  readonly keys: { get(keyId: string): KeyObject | undefined };
  /** Where the player stands: the ticket must name this node, this room and this session. */
  readonly nodeId: NodeId;
  readonly roomId: RoomId;
  readonly sessionId: SessionId;
}

/** The claims of a ticket that the core signed for this seat, or undefined. Says nothing of time. */
export function readTicket(question: TicketQuestion): TicketClaims | undefined {
  const claims = verifiedClaims(question);
  if (!claims) return undefined;
  const fits =
    claims.aud === question.nodeId &&
    claims.roomId === question.roomId &&
    claims.sessionId === question.sessionId;
  return fits ? claims : undefined;
}

/** Whether the ticket can still bring its player in for the first time. */
export function ticketExpiry(claims: TicketClaims, coreNowMs: number): ErrorKind | undefined {
  return coreNowMs >= claims.exp * 1000 ? "ticket_expired" : undefined;
}

function verifiedClaims({ ticket, keys }: TicketQuestion): TicketClaims | undefined {
  if (ticket.length > TICKET_LENGTH_MAX) return undefined;
  const parts = SHAPE.exec(ticket);
  if (!parts) return undefined;
  const [, headerText = "", payloadText = "", signatureText = ""] = parts;

  const header = Header.safeParse(parseJson(headerText));
  const key = header.success ? keys.get(header.data.kid) : undefined;
  if (!key) return undefined;

  const signature = Buffer.from(signatureText, "base64url");
  if (signature.length !== SIGNATURE_BYTES) return undefined;
  if (!verify(null, Buffer.from(`${headerText}.${payloadText}`), key, signature)) return undefined;

  const claims = TicketClaims.safeParse(parseJson(payloadText));
  return claims.success ? claims.data : undefined;
}

function parseJson(base64url: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64url, "base64url").toString("utf8"));
  } catch {
    // Whatever it is, it is no ticket; the schema refuses undefined.
    return undefined;
  }
}
