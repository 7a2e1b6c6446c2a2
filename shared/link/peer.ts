/**
 * Who is at the other end of a private link, read from its certificate's URI name:
 * `meridian://core` or `meridian://region/<id>`.
 */
import type { TLSSocket } from "node:tls";
import { RegionId } from "../ids.ts";

export type Peer = { readonly role: "core" } | { readonly role: "region"; regionId: RegionId };

const CORE_NAME = "meridian://core";
const REGION_PREFIX = "meridian://region/";

/** The URI that a certificate for `peer` carries as its subject alternative name. */
export function peerName(peer: Peer): string {
  return peer.role === "core" ? CORE_NAME : `${REGION_PREFIX}${peer.regionId}`;
}

/**
 * By connection: decoding the certificate anew for each call was 6% of what a node did for a join. Who
 * a connection once proved to be stays so, even if TLS 1.2 lets it prove another name later.
 */
const known = new WeakMap<TLSSocket, Peer>();

/** The peer behind a verified connection; undefined when its certificate names none. */
export function peerOf(socket: TLSSocket): Peer | undefined {
  if (!socket.authorized) return undefined;
  const peer =
    known.get(socket) ?? parsePeerNames(socket.getPeerCertificate().subjectaltname ?? "");
  if (peer) known.set(socket, peer);
  return peer;
}

/** @param names a certificate's alternative names as Node prints them: `URI:…, DNS:…` */
export function parsePeerNames(names: string): Peer | undefined {
  for (const entry of names.split(", ")) {
    if (!entry.startsWith("URI:")) continue;
    const name = entry.slice("URI:".length);
    if (name === CORE_NAME) return { role: "core" };
    if (!name.startsWith(REGION_PREFIX)) continue;
    const regionId = RegionId.safeParse(name.slice(REGION_PREFIX.length));
    if (regionId.success) return { role: "region", regionId: regionId.data };
  }
  return undefined;
}
