/** What stands for "the same network" of a player's address. */
import { isIPv6 } from "node:net";

/** IPv4 /24, IPv6 /48; an IPv4 address written as IPv6 counts as IPv4. */
export function prefixOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  if (!isIPv6(plain)) return plain.split(".").slice(0, 3).join(".");
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  // `::` stands for zeros; only the first three groups matter here.
  const padded = tail === undefined ? groups : [...groups, "0", "0", "0"];
  return padded
    .slice(0, 3)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
