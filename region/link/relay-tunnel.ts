/**
 * A connection to the core that goes through a node of another region: a tunnel that it opens (`relay.ts`), and
 * in it TLS with the core itself. Both ends of both are verified.
 */
import { request } from "node:https";
import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import type { Clock } from "../../shared/clock.ts";
import { failureFromBody, MeridianError } from "../../shared/errors.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { mustName, peerName } from "../../shared/link/peer.ts";
import { RELAY_PATH, RELAY_PROTOCOL } from "../../shared/protocol/failover.ts";

/** Of a node that may open a tunnel. */
export interface RelayPeer {
  readonly regionId: RegionId;
  readonly linkAddress: string;
}

export interface TunnelOptions {
  readonly via: RelayPeer;
  readonly identity: Pick<LinkIdentity, "current">;
  readonly clock: Pick<Clock, "after">;
  /** From the call to the finished handshake with the core. */
  readonly deadlineMs: number;
  /** Gives it up; a connection that was made already is closed. */
  readonly signal?: AbortSignal;
}

/** @throws {MeridianError} the peer's refusal; `timeout`; `unavailable`: it or the core can't be reached */
export async function openTunnel(options: TunnelOptions): Promise<TLSSocket> {
  const { via, clock, deadlineMs, signal } = options;
  const aborter = new AbortController();
  const giveUp = () => aborter.abort();
  signal?.addEventListener("abort", giveUp, { once: true });
  if (signal?.aborted) giveUp();
  const cancel = clock.after(deadlineMs, giveUp);
  try {
    const tunnel = await askForTunnel(options, aborter.signal);
    return await secured(tunnel, options, aborter.signal);
  } catch (cause) {
    if (cause instanceof MeridianError) throw cause;
    const kind = aborter.signal.aborted ? "timeout" : "unavailable";
    throw new MeridianError(kind, { message: `no tunnel through ${via.linkAddress}`, cause });
  } finally {
    cancel();
    signal?.removeEventListener("abort", giveUp);
  }
}

function askForTunnel({ via, identity }: TunnelOptions, signal: AbortSignal): Promise<Duplex> {
  const { linkAddress, regionId } = via;
  return new Promise((resolve, reject) => {
    const asking = request(`https://${linkAddress}${RELAY_PATH}`, {
      ...identity.current,
      checkServerIdentity: mustName(peerName({ role: "region", regionId }), linkAddress),
      agent: false,
      headers: { connection: "Upgrade", upgrade: RELAY_PROTOCOL },
      signal,
    });
    asking.once("upgrade", (_answer, socket, head) => {
      // A tunnel that breaks closes, which the connection in it hears.
      socket.on("error", () => undefined);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asking.once("response", (answer) => {
      // Why not is counted and logged over there.
      reject(failureFromBody(answer.statusCode ?? 500, undefined));
      asking.destroy();
    });
    asking.on("error", reject);
    asking.end();
  });
}

function secured(
  tunnel: Duplex,
  { identity }: TunnelOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...identity.current,
      socket: tunnel,
      checkServerIdentity: mustName(peerName({ role: "core" }), "the end of the tunnel"),
    });
    const giveUp = () => socket.destroy();
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    tunnel.once("close", () => socket.destroy());
    socket.once("secureConnect", () => {
      signal.removeEventListener("abort", giveUp);
      resolve(socket);
    });
    socket.on("error", reject);
    socket.once("close", () => {
      tunnel.destroy();
      reject(new Error("the tunnel closed"));
    });
  });
}
