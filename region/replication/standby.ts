/**
 * The standby's side: takes the streams of other nodes, and says at once when one breaks without a goodbye, because
 * that is the first sign of a node's end.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import {
  type CopyName,
  type NodeAddress,
  REPLICAS_PROTOCOL,
} from "../../shared/protocol/failover.ts";
import { acceptUpgrade, refuseUpgrade, type Upgrade, type UpgradeRoute } from "../link/upgrades.ts";
import type { CopyStore } from "./copy-store.ts";
import { InboundStream, type StreamEnd } from "./inbound-stream.ts";

/** Each node has one to this one, two for a moment. */
const STREAMS_MAX = 256;
/** Of all streams, for one region: it must not shut the others out. */
const REGION_SHARE = 0.5;

export interface StandbyOptions {
  /** Off: no streams are taken. */
  readonly enabled: boolean;
  readonly store: CopyStore;
  /** Of all regions together. */
  readonly streamsMax?: number;
  /** That node's stream broke, and it did not say that it would. */
  readonly onOwnerGone: (about: NodeAddress) => void;
  /** The room's owner has given it up to this node. */
  readonly onGiven: (room: CopyName) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Standby implements Part, UpgradeRoute {
  readonly name = "copies of other nodes' rooms";
  readonly protocol = REPLICAS_PROTOCOL;
  readonly #options: StandbyOptions;
  /** By the region that sends them. */
  readonly #streams = new Map<InboundStream, RegionId>();
  readonly #ends: Counter<"why">;

  constructor(options: StandbyOptions) {
    this.#options = options;
    this.#ends = new Counter({
      name: "meridian_region_replica_streams_ended_total",
      help: "Streams of other nodes by how they ended: goodbye, broken, silent, wrong, refused or too_many.",
      labelNames: ["why"],
      registers: [options.metrics],
    });
  }

  stop(): void {
    for (const stream of [...this.#streams.keys()]) stream.close();
  }

  /** As an arrow, so that it can be given to the link's server as it is. */
  readonly take = ({ regionId, socket, head }: Upgrade): void => {
    const { enabled, store, onGiven, clock } = this.#options;
    if (!enabled) {
      refuseUpgrade(socket, new MeridianError("not_found"));
      return;
    }
    if (this.#full(regionId)) {
      this.#ends.inc({ why: "too_many" });
      refuseUpgrade(socket, new MeridianError("too_many_requests"));
      return;
    }
    socket.setTimeout(0);
    socket.setNoDelay(true);
    acceptUpgrade(socket, REPLICAS_PROTOCOL);
    const stream: InboundStream = new InboundStream({
      regionId,
      socket,
      store,
      onGiven,
      onClosed: (end) => {
        this.#streams.delete(stream);
        this.#ended(end);
      },
      clock,
    });
    this.#streams.set(stream, regionId);
    if (head.length > 0) socket.unshift(head);
  };

  #full(regionId: RegionId): boolean {
    const { streamsMax = STREAMS_MAX } = this.#options;
    const ofRegion = [...this.#streams.values()].filter((other) => other === regionId).length;
    return this.#streams.size >= streamsMax || ofRegion >= streamsMax * REGION_SHARE;
  }

  #ended({ from, why, error }: StreamEnd): void {
    const { log, onOwnerGone } = this.#options;
    this.#ends.inc({ why });
    if (why === "goodbye") return;
    log.warn(
      { err: error, from: from?.nodeId, why, runbook: "region-replication" },
      "a stream of another node's rooms ended without a goodbye",
    );
    if (from && (why === "broken" || why === "silent")) onOwnerGone(from);
  }
}
