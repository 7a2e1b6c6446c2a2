/**
 * Tokens of places in the queue: base64url of the claim as JSON, a dot, and its MAC. Nothing but the core's own
 * memory is asked to give them, and all of a place is in them: from those that waiting clients hold, the queue is
 * made anew when that memory is lost.
 */
import { QueueClaim } from "../../shared/protocol/queue.ts";
import { Mac } from "../tickets/master-key.ts";

const MAC_BYTES = 16;

export class QueueTokens {
  readonly #mac: Mac;

  constructor(master: Buffer) {
    this.#mac = new Mac(master, "queue", MAC_BYTES);
  }

  mint(claim: QueueClaim): string {
    const payload = Buffer.from(JSON.stringify(claim));
    return `${payload.toString("base64url")}.${this.#mac.of(payload).toString("base64url")}`;
  }

  /** What the token says, or undefined when we did not mint it, or as another version. */
  verify(token: string): QueueClaim | undefined {
    const [encoded = "", mac = ""] = token.split(".");
    const payload = Buffer.from(encoded, "base64url");
    if (!this.#mac.matches(payload, Buffer.from(mac, "base64url"))) return undefined;
    return QueueClaim.safeParse(JSON.parse(payload.toString())).data;
  }
}
