/** Internet addresses as numbers, and the ranges that CIDRs name. Pure. */
import { isIP } from "node:net";

/** An IPv4 address that is written as IPv6 (`::ffff:…`) is an IPv4 one. */
export type IpAddress =
  | { readonly family: 4; readonly value: number }
  | { readonly family: 6; readonly value: bigint };

/** All addresses that begin with the same `prefix` bits as `network`. */
export interface IpRange {
  readonly network: IpAddress;
  readonly prefix: number;
}

const MAPPED_PREFIX = 96;
/** What the 96 bits before a mapped IPv4 address are. */
const MAPPED_BITS = 0xffffn;

/** Undefined for what is no address. A zone (`%eth0`) is left out. */
export function parseIpAddress(text: string): IpAddress | undefined {
  const version = isIP(text);
  if (version === 4) return { family: 4, value: ipv4Of(text) };
  if (version === 0) return undefined;
  const value = ipv6Of(text);
  if (value >> 32n !== MAPPED_BITS) return { family: 6, value };
  return { family: 4, value: Number(value & 0xffff_ffffn) };
}

/** `address/prefix length`; undefined for anything else. Bits behind the prefix don't matter. */
export function parseIpRange(cidr: string): IpRange | undefined {
  const [, address = "", length = ""] = /^([^/%]+)\/(\d{1,3})$/.exec(cidr) ?? [];
  const network = parseIpAddress(address);
  if (!network) return undefined;
  const isMapped = network.family === 4 && isIP(address) === 6;
  const prefix = Number(length) - (isMapped ? MAPPED_PREFIX : 0);
  return prefix >= 0 && prefix <= bitsOf(network) ? { network, prefix } : undefined;
}

/** The address's first `prefix` bits, as a number: the same for all addresses of a range. */
export function leadingBits({ family, value }: IpAddress, prefix: number): number | bigint {
  if (family === 6) return value >> BigInt(128 - prefix);
  // A shift by 32 would shift by none.
  return prefix === 0 ? 0 : value >>> (32 - prefix);
}

/** IPv4 in dots. */
export function dotted(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function bitsOf({ family }: IpAddress): number {
  return family === 4 ? 32 : 128;
}

/** @param text known to be an IPv4 address */
function ipv4Of(text: string): number {
  return text.split(".").reduce((value, byte) => value * 256 + Number(byte), 0);
}

/** @param text known to be an IPv6 address */
function ipv6Of(text: string): bigint {
  const [plain = ""] = text.split("%");
  const [head = "", tail] = plain.split("::");
  const first = groupsOf(head);
  const last = groupsOf(tail ?? "");
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => 0);
  const groups = [...first, ...zeros, ...last];
  // By numbers of 48 and 32 bits: an addition of big integers for each group takes three times as long.
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const high =
    (BigInt((a * 65_536 + b) * 65_536 + c) << 48n) | BigInt((d * 65_536 + e) * 65_536 + f);
  return (high << 32n) | BigInt(g * 65_536 + h);
}

/** Of 16 bits each; the last two may be written as an IPv4 address. */
function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const value = ipv4Of(group);
    return [value >>> 16, value & 0xffff];
  });
}
