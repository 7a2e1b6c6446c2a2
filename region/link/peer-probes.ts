/**
 * Measures the way to the other regions over the private link, one of them at a time, for the core to know
 * which are near to each other. The core names them in its answers to heartbeats and gets what was measured
 * with the next ones.
 *
 * A turn is a few requests on one connection, of which the fastest counts: the first may have to connect, and
 * whatever holds up one of them is not the distance.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { Done, type PeerRoundTrips, type Peers, PROBE_PATH } from "../../shared/protocol/link.ts";
import type { PeerFollower } from "./heartbeat.ts";
import {
  FAILURES_MAX,
  followPeers,
  nearestFirst,
  nextPeer,
  type ProbedPeer,
  type ProbeState,
  peerAnswered,
  peerFailed,
  roundTripsMs,
} from "./probe-step.ts";

const REQUESTS_PER_TURN = 3;
const DEADLINE_MS = 2_000;

export interface PeerProbesOptions {
  readonly regionId: RegionId;
  /** Its own: it is stopped with this part. */
  readonly client: LinkClient;
  /** From one turn to the next, ms; with 0 nothing is measured. */
  readonly periodMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class PeerProbes implements Part, PeerFollower {
  readonly name = "probes of other regions";
  readonly #options: PeerProbesOptions;
  readonly #probes: Counter<"peer" | "outcome">;
  #version = "";
  #state: ProbeState = new Map();
  #underWay: Promise<void> | undefined;
  #stopped = false;
  #cancel: Cancel = () => {};

  constructor(options: PeerProbesOptions) {
    const { metrics } = options;
    this.#options = options;
    this.#probes = new Counter({
      name: "meridian_region_peer_probes_total",
      help: "Turns of measuring the way to another region: answered, or the kind of failure.",
      labelNames: ["peer", "outcome"],
      registers: [metrics],
    });
    const trips = () => Object.entries(this.roundTripsMs);
    new Gauge({
      name: "meridian_region_peer_round_trip_ms",
      help: "The round trip to another region over the private link; absent while it does not answer.",
      labelNames: ["peer"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const [peer, ms] of trips()) this.set({ peer }, ms);
      },
    });
  }

  start(): void {
    const { clock, periodMs } = this.#options;
    if (periodMs > 0) this.#cancel = clock.every(periodMs, () => this.#turn());
  }

  async stop(): Promise<void> {
    this.#cancel();
    this.#stopped = true;
    await this.#options.client.stop();
    await this.#underWay;
  }

  get version(): string | undefined {
    return this.#options.periodMs > 0 ? this.#version : undefined;
  }

  get roundTripsMs(): PeerRoundTrips {
    return roundTripsMs(this.#state);
  }

  /** All peers, the nearest first and those that did not answer last. */
  get nearestFirst(): readonly ProbedPeer[] {
    return nearestFirst(this.#state);
  }

  hear({ version, regions }: Peers): void {
    const { client, regionId } = this.#options;
    const former = [...this.#state.values()].map(({ linkAddress }) => linkAddress);
    this.#version = version;
    this.#state = followPeers(this.#state, regions, regionId);
    const kept = new Set([...this.#state.values()].map(({ linkAddress }) => linkAddress));
    for (const address of former) {
      // Nobody waits for idle connections to close.
      if (!kept.has(address)) void client.forget(address);
    }
  }

  /** One at a time: a turn that takes longer than the period costs the next one. */
  #turn(): void {
    if (this.#underWay) return;
    const peer = nextPeer(this.#state, this.#options.clock.monotonicMs());
    if (!peer) return;
    this.#underWay = this.#probe(peer).finally(() => {
      this.#underWay = undefined;
    });
  }

  async #probe(peer: ProbedPeer): Promise<void> {
    const { regionId } = peer;
    const { clock } = this.#options;
    try {
      const roundTripMs = await this.#measure(peer);
      this.#state = peerAnswered(this.#state, regionId, roundTripMs, clock.monotonicMs());
      this.#probes.inc({ peer: regionId, outcome: "answered" });
      this.#tellAnswer(peer);
    } catch (err) {
      // The end of this node says nothing about the others.
      if (this.#stopped) return;
      this.#state = peerFailed(this.#state, regionId, clock.monotonicMs());
      this.#probes.inc({ peer: regionId, outcome: isFailure(err) ? err.kind : "internal" });
      this.#tellFailure(regionId, err);
    }
  }

  /** @throws {MeridianError} when one of the requests fails */
  async #measure({ regionId, linkAddress }: ProbedPeer): Promise<number> {
    const { client, clock } = this.#options;
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let n = 0; n < REQUESTS_PER_TURN; n += 1) {
      const sentMs = clock.monotonicMs();
      await client.call({
        address: linkAddress,
        peer: { role: "region", regionId },
        path: PROBE_PATH,
        answer: Done,
        deadlineMs: DEADLINE_MS,
      });
      fastestMs = Math.min(fastestMs, clock.monotonicMs() - sentMs);
    }
    return fastestMs;
  }

  #tellAnswer({ regionId, failures }: ProbedPeer): void {
    if (failures < FAILURES_MAX) return;
    this.#options.log.info({ peer: regionId }, "another region answers again");
  }

  /** Once, when it is no accident any more. */
  #tellFailure(regionId: RegionId, err: unknown): void {
    const peer = this.#state.get(regionId);
    if (peer?.failures !== FAILURES_MAX) return;
    const { linkAddress } = peer;
    this.#options.log.warn(
      { peer: regionId, linkAddress, err, runbook: "region-peers" },
      "another region does not answer over the private link",
    );
  }
}
