/**
 * Who is at the other end of a private link, read from its certificate's URI name:
 * `meridian://core`, `meridian://region/<id>` or `meridian://dns/<name>`.
 */
import type { PeerCertificate, TLSSocket } from "node:tls";
import { z } from "zod";
import { RegionId } from "../ids.ts";

/** A name server, such as `ns1`: each has a responder with a certificate of its own. */
export const NameServerId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, "a name server's id: a-z, 0-9 and '-', 32 at most")
  .brand("NameServerId");
export type NameServerId = z.infer<typeof NameServerId>;

export type Peer =
  | { readonly role: "core" }
  | { readonly role: "region"; readonly regionId: RegionId }
  | { readonly role: "dns"; readonly nameServer: NameServerId };

const CORE_NAME = "meridian://core";
const REGION_PREFIX = "meridian://region/";
const DNS_PREFIX = "meridian://dns/";

/** The URI that a certificate for `peer` carries as its subject alternative name. */
export function peerName(peer: Peer): string {
  if (peer.role === "core") return CORE_NAME;
  if (peer.role === "dns") return `${DNS_PREFIX}${peer.nameServer}`;
  return `${REGION_PREFIX}${peer.regionId}`;
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

/**
 * For `checkServerIdentity`: the name is checked as a URI, because a link's address may be any host.
 * @param name as `peerName` gives it
 */
export function mustName(name: string, address: string) {
  return (_host: string, certificate: PeerCertificate): Error | undefined => {
    const found = parsePeerNames(certificate.subjectaltname ?? "");
    if (found && peerName(found) === name) return undefined;
    return new Error(`the certificate at ${address} does not name ${name}`);
  };
}

/** @param names a certificate's alternative names as Node prints them: `URI:…, DNS:…` */
export function parsePeerNames(names: string): Peer | undefined {
  for (const entry of names.split(", ")) {
    if (!entry.startsWith("URI:")) continue;
    const peer = parsePeerName(entry.slice("URI:".length));
    if (peer) return peer;
  }
  return undefined;
}

function parsePeerName(name: string): Peer | undefined {
  if (name === CORE_NAME) return { role: "core" };
  if (name.startsWith(REGION_PREFIX)) {
    const { data } = RegionId.safeParse(name.slice(REGION_PREFIX.length));
    return data && { role: "region", regionId: data };
  }
  if (name.startsWith(DNS_PREFIX)) {
    const { data } = NameServerId.safeParse(name.slice(DNS_PREFIX.length));
    return data && { role: "dns", nameServer: data };
  }
  return undefined;
}
