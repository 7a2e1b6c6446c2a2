/**
 * How this node's calls reach the core: straight, or through a node of another region while its own way is cut.
 *
 * After `relayAfterMs` without an answer to a heartbeat it looks for a way: straight, and at the same time through
 * the nearest regions, one after the other. Straight is best: it is the core that is slow then, and a relay would
 * only be slow, too. Else the first tunnel in which the core shakes hands is the way, for every client that has
 * this as its `Ways`. If nothing leads there the core is away: calls fail as they do, and it is tried again.
 *
 * While relayed, the straight way is looked at every 2 s and taken back as soon as the core shakes hands there.
 */
import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import { type Cancel, type Clock, sleep } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Way } from "../../shared/link/agent.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import type { WayChange, Ways } from "../../shared/link/link-client.ts";
import { LOOK_DEADLINE_MS, look } from "../../shared/link/look.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { openTunnel, type RelayPeer } from "./relay-tunnel.ts";

/** Of each client; a relay has tunnels for a few nodes of a region. */
const CONNECTIONS_MAX = 4;
const TUNNEL_DEADLINE_MS = 1_500;
/** The next region is asked while the one before may still answer. */
const STAGGER_MS = 300;
const PEERS_PER_SEARCH_MAX = 3;
/** As long as the last tunnel: a core that stood still answers on both ways at the same moment. */
const STRAIGHT_DEADLINE_MS = TUNNEL_DEADLINE_MS + STAGGER_MS * (PEERS_PER_SEARCH_MAX - 1);
/** Straight is preferred when it is later than a tunnel by this. */
const STRAIGHT_HEAD_START_MS = 100;
export const RETRY_MS = 2_000;
/** So that the nodes of a region do not all search at the same moment. */
const RETRY_JITTER = 0.25;

export interface CoreWayOptions {
  readonly coreAddress: string;
  readonly identity: LinkIdentity;
  /** The nearest first. */
  readonly peers: () => readonly RelayPeer[];
  /** Without an answered heartbeat, ms; with 0 there is only the straight way. */
  readonly relayAfterMs: number;
  /** Told after a change: there is something to say to the core at once. */
  readonly onChanged: () => void;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class CoreWay implements Part, Ways {
  readonly name = "way to the core";
  readonly #options: CoreWayOptions;
  readonly #listeners = new Set<(change: WayChange) => void>();
  readonly #searches: Counter<"found">;
  readonly #stopped = new AbortController();
  /** Through whom; undefined: straight. */
  #via: RelayPeer | undefined;
  /** The tunnel that was found, for the first who needs one. */
  #spare: TLSSocket | undefined;
  #search: Promise<void> | undefined;
  #heardTimes = 0;
  #cancelSearch: Cancel = () => {};
  #cancelReturn: Cancel = () => {};

  constructor(options: CoreWayOptions) {
    this.#options = options;
    const { metrics } = options;
    this.#searches = new Counter({
      name: "meridian_region_core_way_searches_total",
      help: "Searches for a way to the core after heartbeats without an answer: straight, relay, or none.",
      labelNames: ["found"],
      registers: [metrics],
    });
    const relayed = () => (this.relayed ? 1 : 0);
    new Gauge({
      name: "meridian_region_relayed",
      help: "1 while this node's calls reach the core through another region.",
      registers: [metrics],
      collect() {
        this.set(relayed());
      },
    });
  }

  /** Whether calls go through another region. */
  get relayed(): boolean {
    return this.#via !== undefined;
  }

  /** The core has answered a heartbeat. */
  heard(): void {
    const { relayAfterMs } = this.#options;
    this.#heardTimes += 1;
    if (relayAfterMs > 0) this.#searchAfter(relayAfterMs);
  }

  to(address: string): Way | undefined {
    const via = this.#via;
    if (!via || address !== this.#options.coreAddress) return undefined;
    return {
      connectionsMax: CONNECTIONS_MAX,
      open: async () => this.#takeSpare() ?? this.#open(via),
    };
  }

  onChanged(listener: (change: WayChange) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#cancelSearch();
    this.#cancelReturn();
    this.#spare?.destroy();
    await this.#search;
  }

  #searchAfter(delayMs: number): void {
    this.#cancelSearch();
    if (this.#stopped.signal.aborted) return;
    this.#cancelSearch = this.#options.clock.after(delayMs, () => {
      // The core was heard during a search that goes on still: another one may be needed after it.
      if (this.#search) {
        this.#searchAfter(this.#retryMs());
        return;
      }
      const before = this.#heardTimes;
      this.#search = this.#seek().finally(() => {
        this.#search = undefined;
        if (this.#heardTimes === before) this.#searchAfter(this.#retryMs());
      });
    });
  }

  async #seek(): Promise<void> {
    const found = await this.#find();
    if (this.#stopped.signal.aborted) {
      found?.tunnel?.destroy();
      return;
    }
    this.#searches.inc({ found: found ? (found.tunnel ? "relay" : "straight") : "none" });
    if (found?.tunnel) this.#relay(found);
    else this.#straight({ broken: !found });
  }

  /** The straight way, or an open tunnel; neither: undefined. */
  async #find(): Promise<{ via?: RelayPeer; tunnel?: TLSSocket } | undefined> {
    const { clock } = this.#options;
    const giveUp = new AbortController();
    const signal = AbortSignal.any([giveUp.signal, this.#stopped.signal]);
    const straight = this.#looksStraight(STRAIGHT_DEADLINE_MS);
    const relayed = this.#firstTunnel(signal);
    const first = await Promise.race([
      straight,
      relayed.then(
        () => false,
        () => straight,
      ),
    ]);
    const late = sleep(clock, STRAIGHT_HEAD_START_MS, signal).then(() => false);
    if (first || (await Promise.race([straight, late]))) {
      giveUp.abort();
      relayed.then(
        ({ tunnel }) => tunnel.destroy(),
        () => undefined,
      );
      return {};
    }
    return await relayed.catch(() => undefined);
  }

  async #looksStraight(deadlineMs: number): Promise<boolean> {
    const { coreAddress: address, identity, clock } = this.#options;
    return (await look({ address, identity, clock, deadlineMs })) === "answers";
  }

  /** @throws when none opens */
  async #firstTunnel(signal: AbortSignal): Promise<{ via: RelayPeer; tunnel: TLSSocket }> {
    const { clock, peers } = this.#options;
    const others = peers().toSorted((a, b) => this.#failed(a) - this.#failed(b));
    const won = new AbortController();
    const attempts = others.slice(0, PEERS_PER_SEARCH_MAX).map(async (via, n) => {
      const either = AbortSignal.any([signal, won.signal]);
      await sleep(clock, n * STAGGER_MS, either);
      const tunnel = await this.#open(via, either);
      // Two may open in the same turn.
      if (either.aborted) tunnel.destroy();
      either.throwIfAborted();
      won.abort();
      return { via, tunnel };
    });
    return await Promise.any(attempts);
  }

  /** The relay in use, when a search begins: it comes last then. */
  #failed(peer: RelayPeer): number {
    return peer.linkAddress === this.#via?.linkAddress ? 1 : 0;
  }

  #open(via: RelayPeer, signal = this.#stopped.signal): Promise<TLSSocket> {
    const { identity, clock } = this.#options;
    return openTunnel({ via, identity, clock, deadlineMs: TUNNEL_DEADLINE_MS, signal });
  }

  #relay({ via, tunnel }: { via?: RelayPeer; tunnel?: TLSSocket }): void {
    const { log } = this.#options;
    this.#via = via;
    this.#keepSpare(tunnel);
    log.warn(
      { via: via?.regionId, linkAddress: via?.linkAddress, runbook: "region-relay" },
      "the way to the core is cut: calls go through another region",
    );
    this.#returnLater();
    this.#changed(true);
  }

  /** @param broken the relay leads nowhere, and nothing else does */
  #straight({ broken }: { readonly broken: boolean }): void {
    if (!this.#via) return;
    this.#via = undefined;
    this.#keepSpare(undefined);
    this.#cancelReturn();
    this.#options.log.info({ answers: !broken }, "calls go straight to the core again");
    this.#changed(broken);
  }

  #returnLater(): void {
    this.#cancelReturn();
    this.#cancelReturn = this.#options.clock.after(this.#retryMs(), () => {
      void this.#lookBack();
    });
  }

  /** Never rejects: a look does not. */
  async #lookBack(): Promise<void> {
    const answers = await this.#looksStraight(LOOK_DEADLINE_MS);
    if (this.#stopped.signal.aborted || !this.#via) return;
    if (answers) this.#straight({ broken: false });
    else this.#returnLater();
  }

  #changed(broken: boolean): void {
    const { coreAddress: address, onChanged } = this.#options;
    for (const listener of this.#listeners) listener({ address, broken });
    onChanged();
  }

  #keepSpare(tunnel: TLSSocket | undefined): void {
    this.#spare?.destroy();
    this.#spare = tunnel;
    tunnel?.once("close", () => {
      if (this.#spare === tunnel) this.#spare = undefined;
    });
  }

  #takeSpare(): TLSSocket | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare;
  }

  #retryMs(): number {
    return RETRY_MS * (1 + RETRY_JITTER * this.#options.random());
  }
}
