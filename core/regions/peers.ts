/**
 * Whom regions measure the way to: one link of each region that has any. Every heartbeat says which list its
 * node has, and is answered with another one only when there is one; so the list is made once a second at
 * most, however many nodes there are.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../shared/clock.ts";
import type { Peers } from "../../shared/protocol/link.ts";
import { liveNodes } from "./region-view.ts";
import type { RegionRecord } from "./registry-step.ts";

const KEEP_MS = 1_000;
const VERSION_CHARACTERS = 16;

export interface PeerListDeps {
  readonly regions: () => readonly RegionRecord[];
  readonly clock: Pick<Clock, "monotonicMs">;
}

export class PeerList {
  readonly #deps: PeerListDeps;
  #peers: Peers | undefined;
  #madeMs = 0;

  constructor(deps: PeerListDeps) {
    this.#deps = deps;
  }

  /** @param version what the node has; undefined when it measures nothing */
  news(version: string | undefined): Peers | undefined {
    if (version === undefined) return undefined;
    const nowMs = this.#deps.clock.monotonicMs();
    if (!this.#peers || nowMs - this.#madeMs >= KEEP_MS) {
      this.#peers = peersAmong(this.#deps.regions());
      this.#madeMs = nowMs;
    }
    return version === this.#peers.version ? undefined : this.#peers;
  }
}

/**
 * Of a region its oldest live node, so that the list changes with few of their changes, at the address that
 * the topology gives or else its own. Two cores that know the same give it the same version. Pure.
 */
export function peersAmong(all: readonly RegionRecord[]): Peers {
  const regions = all.flatMap((region) => {
    const oldest = liveNodes(region).toSorted((a, b) => a.incarnation - b.incarnation)[0];
    if (!oldest) return [];
    const linkAddress = region.spec.privateAddress ?? oldest.heartbeat.linkAddress;
    return [{ regionId: region.spec.id, linkAddress }];
  });
  const hash = createHash("sha256").update(JSON.stringify(regions)).digest("base64url");
  return { version: hash.slice(0, VERSION_CHARACTERS), regions };
}
