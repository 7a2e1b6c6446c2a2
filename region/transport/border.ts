/**
 * Decides who comes in, before any room hears of them: verifies the ticket, and consumes it.
 *
 * A player who comes back uses the URL of the first connection again (stock clients can't do
 * otherwise), so then a used or expired ticket is good, as long as the reconnection token is the
 * one that it names. Whether the session still exists is for the room to say. The same holds for a
 * ticket of a former life of this node whose rooms are here now.
 */
import type { ErrorKind } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { TicketClaims } from "../../shared/protocol/ticket.ts";
import type { ConsumedTickets } from "./consumed-tickets.ts";
import type { KeySet } from "./key-set.ts";
import { readTicket, ticketExpiry } from "./ticket.ts";
import type { UpgradeRequest } from "./upgrade-request.ts";

export interface BorderOptions {
  readonly nodeId: NodeId;
  readonly keys: KeySet;
  readonly consumed: ConsumedTickets;
  /** Whose rooms this node goes on with. */
  readonly formerLives: () => ReadonlySet<NodeId>;
  /** Whether this node's own rooms are on their way to its next life. */
  readonly handedOver: () => boolean;
  /** Core time in ms, or undefined before the first heartbeat was answered. */
  readonly coreNowMs: () => number | undefined;
}

export type Admission =
  | { readonly admitted: true; readonly claims: TicketClaims; readonly resuming: boolean }
  | { readonly admitted: false; readonly kind: ErrorKind };

export class Border {
  readonly #options: BorderOptions;

  constructor(options: BorderOptions) {
    this.#options = options;
  }

  admit(request: UpgradeRequest): Admission {
    const { keys, consumed } = this.#options;
    const coreNowMs = this.#options.coreNowMs();
    const { ticket, roomId, sessionId, reconnectionToken } = request;
    const resuming = reconnectionToken !== undefined;
    // Stock clients take any other close than this for final. In a moment this node knows the keys, or
    // its next life listens here and has the rooms.
    const notYet = coreNowMs === undefined || this.#options.handedOver();
    if (resuming && notYet) return refusal("going_away");
    if (coreNowMs === undefined) return refusal("unavailable");
    const nodeId = this.#addressed(request.processId, resuming);
    if (!nodeId) return refusal("ticket_invalid");
    const claims = readTicket({ ticket, keys, nodeId, roomId, sessionId });
    if (!claims) return refusal("ticket_invalid");

    const expiresAtMs = claims.exp * 1000;
    if (reconnectionToken !== undefined) {
      if (reconnectionToken !== claims.reconnectionToken) return refusal("ticket_invalid");
      // A fresh ticket for a return is spent too; that an old one was spent before is no matter.
      if (coreNowMs < expiresAtMs) consumed.consume(claims.jti, expiresAtMs, coreNowMs);
      return { admitted: true, claims, resuming: true };
    }

    const expired = ticketExpiry(claims, coreNowMs);
    if (expired) return refusal(expired);
    const consumption = consumed.consume(claims.jti, expiresAtMs, coreNowMs);
    if (consumption === "used_before") return refusal("ticket_used");
    if (consumption === "full") return refusal("unavailable");
    return { admitted: true, claims, resuming: false };
  }

  #addressed(processId: string, resuming: boolean): NodeId | undefined {
    const { nodeId, formerLives } = this.#options;
    if (processId === nodeId) return nodeId;
    return resuming ? [...formerLives()].find((life) => life === processId) : undefined;
  }
}

function refusal(kind: ErrorKind): Admission {
  return { admitted: false, kind };
}
