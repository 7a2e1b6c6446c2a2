/** Where this world's processes listen, and what others are told. */
import { networkInterfaces } from "node:os";

export interface Addresses {
  /** Where the players' side listens. */
  readonly listenHost: string;
  /** What players are told. */
  readonly publicHost: string;
  /** Hosts under which a browser on this machine or another may open the page. */
  readonly pageHosts: readonly string[];
}

export const PRIVATE_HOST = "127.0.0.1";

/** @throws one clear line when `lan` is wanted and this machine is on no network */
export function addressesOf(lan: boolean): Addresses {
  const local = [PRIVATE_HOST, "localhost"];
  if (!lan) return { listenHost: PRIVATE_HOST, publicHost: PRIVATE_HOST, pageHosts: local };
  const found = lanAddresses();
  const [first] = found;
  if (first === undefined) throw new Error("--lan: this machine has no IPv4 address on a network");
  return { listenHost: "0.0.0.0", publicHost: first, pageHosts: [...found, ...local] };
}

function lanAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address }) => address);
}
