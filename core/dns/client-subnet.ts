/**
 * Who asks: the subnet that a resolver names for its client (EDNS client subnet, RFC 7871), else the
 * resolver itself. Pure.
 */
import { isIP } from "node:net";

/**
 * How much of an address decides its place. Databases of places are not finer than that in general, and
 * resolvers name no more of their clients either. It is also the scope of the answer: it is the same for
 * every address of that subnet, because it is looked up by the subnet's first one.
 */
export const IPV4_SCOPE = 24;
export const IPV6_SCOPE = 48;

const IPV6_GROUPS = 8;
const IPV6_SCOPE_GROUPS = 3;

export interface ClientSubnet {
  /** The one whose place counts. */
  readonly address: string;
  /** For how much of the client's address the answer is good, bits. */
  readonly scope: number;
}

/**
 * @param remote the resolver's address
 * @param realRemote the client's as `address/prefix`; the resolver's, whole, where none was named
 */
export function clientSubnet(remote: string, realRemote: string | undefined): ClientSubnet {
  const [address = "", prefixText = ""] = (realRemote ?? "").split("/");
  const version = isIP(address);
  const prefix = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : 0;
  // A client that does not want to be placed names a prefix of length 0: it counts as its resolver.
  if (version === 0 || prefix === 0) return { address: remote, scope: 0 };
  // The whole address of a resolver, which an operator may have placed by an override of its own.
  if (address === remote) return { address, scope: prefix };
  const most = version === 4 ? IPV4_SCOPE : IPV6_SCOPE;
  if (prefix <= most) return { address, scope: prefix };
  return { address: version === 4 ? firstOf24(address) : firstOf48(address), scope: most };
}

function firstOf24(address: string): string {
  return `${address.slice(0, address.lastIndexOf("."))}.0`;
}

function firstOf48(address: string): string {
  const [head = "", tail] = address.split("::");
  const groups = groupsOf(head);
  if (tail !== undefined) {
    const missing = IPV6_GROUPS - groups.length - groupsOf(tail).length;
    groups.push(...Array<string>(Math.max(0, missing)).fill("0"), ...groupsOf(tail));
  }
  return `${groups.slice(0, IPV6_SCOPE_GROUPS).join(":")}::`;
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}
