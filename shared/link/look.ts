/**
 * Looks at another process's link from here and now: one connection of its own, which shares nothing with the
 * calls that may hang there already.
 *
 * A finished TLS handshake means that a process is there and takes turns, whoever it is: a certificate that
 * does not fit is a mistake of somebody, and no sign of death. A connection that is refused, reset or ended
 * before that means that there is none: delay proxies and load balancers accept first and reset then. All else
 * (no answer, no route, no such name) says nothing of the process, only of the way to it.
 */
import { type ConnectionOptions, connect } from "node:tls";
import type { Clock } from "../clock.ts";
import type { Saw } from "../protocol/failover.ts";
import type { LinkIdentity } from "./identity.ts";

/** Of one look, ms. */
export const LOOK_DEADLINE_MS = 750;
const REFUSALS = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE"]);

export interface LookOptions {
  /** `host:port` of the link that is looked at. */
  readonly address: string;
  readonly identity: Pick<LinkIdentity, "current">;
  readonly clock: Pick<Clock, "after">;
  readonly deadlineMs?: number;
}

/** What is seen there; never rejects, and leaves no connection behind. */
export function look(options: LookOptions): Promise<Saw> {
  const { address, identity, clock, deadlineMs = LOOK_DEADLINE_MS } = options;
  return new Promise((resolve) => {
    const socket = connect({ ...target(address), ...identity.current, ...ANYONE });
    const decide = (saw: Saw): void => {
      cancel();
      resolve(saw);
      // The last bytes of a handshake go out still, so that the other end has nothing to complain about.
      if (saw === "answers") socket.destroySoon();
      else socket.destroy();
    };
    // A process that stood still finds its timer due before what waits in its sockets: that is read first.
    const cancel = clock.after(deadlineMs, () => setImmediate(decide, "silent"));
    socket.once("secureConnect", () => decide("answers"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      decide(REFUSALS.has(error.code ?? "") ? "refused" : "silent");
    });
    socket.once("close", () => decide("refused"));
  });
}

/** Who is there does not matter, only that somebody is. */
const ANYONE = { rejectUnauthorized: false } satisfies ConnectionOptions;

function target(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/u, "$1");
  return { host, port: Number(address.slice(colon + 1)) };
}
