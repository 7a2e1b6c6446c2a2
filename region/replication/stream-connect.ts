/** Asks a standby for a replica stream: a request of its own over mutual TLS, which the standby upgrades. */
import { request } from "node:https";
import type { Duplex } from "node:stream";
import type { Cancel } from "../../shared/clock.ts";
import { failureFromBody } from "../../shared/errors.ts";
import { regionOfNode } from "../../shared/ids.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { mustName, peerName } from "../../shared/link/peer.ts";
import {
  type NodeAddress,
  REPLICAS_PATH,
  REPLICAS_PROTOCOL,
} from "../../shared/protocol/failover.ts";

export interface StreamRequest {
  readonly to: NodeAddress;
  readonly identity: LinkIdentity;
  /** Upgraded; `head` came with the answer. */
  readonly onOpen: (socket: Duplex, head: Buffer) => void;
  /** Refused, or not reached. */
  readonly onFailed: (error: unknown) => void;
}

/** @returns ends the request; there is no deadline but the caller's */
export function requestStream({ to, identity, onOpen, onFailed }: StreamRequest): Cancel {
  const asking = request(`https://${to.linkAddress}${REPLICAS_PATH}`, {
    ...identity.current,
    checkServerIdentity: mustName(
      peerName({ role: "region", regionId: regionOfNode(to.nodeId) }),
      to.linkAddress,
    ),
    agent: false,
    headers: { connection: "Upgrade", upgrade: REPLICAS_PROTOCOL },
  });
  asking.once("upgrade", (_answer, socket, head) => onOpen(socket, head));
  asking.once("response", (answer) => {
    onFailed(failureFromBody(answer.statusCode ?? 500, undefined));
    answer.resume();
  });
  asking.on("error", onFailed);
  asking.end();
  return () => asking.destroy();
}
