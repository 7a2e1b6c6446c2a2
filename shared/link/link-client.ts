/**
 * Calls to the other end of a private link: mTLS, keep-alive, JSON, a deadline on each.
 *
 * At most `callsMax` calls to one peer are under way; past that a call is refused at once with
 * `unavailable`, so a peer that hangs can't collect callers. A breaker opens after consecutive
 * failures of the way to the peer (no connection, no answer) and lets one probe through per `openMs`.
 * An answer of the peer closes it, whatever it says: a core whose database is away answers `unavailable`
 * to claims, and must go on getting heartbeats.
 */
import type { Agent } from "undici";
import type { z } from "zod";
import { type Cancel, type Clock, systemClock } from "../clock.ts";
import { failureFromBody, MeridianError } from "../errors.ts";
import { agentFor, type Way } from "./agent.ts";
import { Breaker } from "./breaker.ts";
import { exchange, type Received } from "./exchange.ts";
import type { LinkIdentity } from "./identity.ts";
import { type Peer, peerName } from "./peer.ts";

const CALLS_MAX = 1024;

export interface LinkCall<T> {
  /** `host:port` of the peer's link. */
  readonly address: string;
  /** Whom the certificate at that address must name; another one is refused. */
  readonly peer: Peer;
  /** For example `/link/heartbeat`. */
  readonly path: string;
  /** Without one it is a `GET`. */
  readonly body?: unknown;
  readonly answer: z.ZodType<T>;
  readonly deadlineMs: number;
  /** For a call whose effect at the peer must not go unheard. */
  readonly late?: LateAnswer<T>;
}

/** What becomes of the answer to a call that was sent, and had none by its deadline. */
export interface LateAnswer<T> {
  /** How long past the deadline it is waited for, ms. */
  readonly waitMs: number;
  readonly take: (answer: T) => void;
}

/** Where connections go that can't go straight to an address. */
export interface Ways {
  /** Undefined: straight. */
  to(address: string): Way | undefined;
  onChanged(listener: (change: WayChange) => void): Cancel;
}

export interface WayChange {
  readonly address: string;
  /** The former way leads nowhere: calls that are under way on it fail at once. Else they finish there. */
  readonly broken: boolean;
}

export interface LinkClientOptions {
  /** Most calls to one peer that are under way, late ones included. */
  readonly callsMax?: number;
  /** Without them every connection goes straight. */
  readonly ways?: Ways;
}

export class LinkClient {
  readonly #identity: LinkIdentity;
  readonly #clock: Clock;
  readonly #callsMax: number;
  readonly #ways: Ways | undefined;
  readonly #peers = new Map<string, LinkedPeer>();
  readonly #unfollow: readonly Cancel[];

  constructor(
    identity: LinkIdentity,
    clock: Clock = systemClock,
    { callsMax = CALLS_MAX, ways }: LinkClientOptions = {},
  ) {
    this.#identity = identity;
    this.#clock = clock;
    this.#callsMax = callsMax;
    this.#ways = ways;
    this.#unfollow = [
      identity.onReplaced(() => this.#renewConnections()),
      ways?.onChanged((change) => this.#changeWay(change)) ?? (() => {}),
    ];
  }

  /**
   * One call and its parsed answer.
   * @throws {MeridianError} the peer's own failure; `timeout` past the deadline; `unavailable` when
   *   the peer can't be reached, its breaker is open, or it answers nonsense
   */
  async call<T>(call: LinkCall<T>): Promise<T> {
    const peer = this.#peer(call);
    if (peer.calls >= this.#callsMax) {
      throw new MeridianError("unavailable", { message: "too many calls to one peer" });
    }
    if (!peer.breaker.permits(this.#clock.monotonicMs())) {
      throw new MeridianError("unavailable", { message: "the peer's breaker is open" });
    }
    let received: Received;
    try {
      received = await this.#exchange(peer, call);
      peer.breaker.succeeded();
    } catch (error) {
      peer.breaker.failed(this.#clock.monotonicMs());
      throw error;
    }
    return answerOf(call, received);
  }

  /** To how many peers no calls go out for the moment. */
  get openBreakers(): number {
    return [...this.#peers.values()].filter(({ breaker }) => breaker.open).length;
  }

  /** Forgets peers that are gone for good, closing their connections. */
  async forget(address: string): Promise<void> {
    await Promise.all(this.#takePeers(address).map((peer) => peer.agent.destroy()));
  }

  async stop(): Promise<void> {
    for (const unfollow of this.#unfollow) unfollow();
    const peers = [...this.#peers.values()];
    this.#peers.clear();
    await Promise.all(peers.map((peer) => peer.agent.destroy()));
  }

  #exchange<T>(peer: LinkedPeer, call: LinkCall<T>): Promise<Received> {
    const { address, path, body, deadlineMs, late } = call;
    peer.calls += 1;
    return exchange({
      agent: peer.agent,
      clock: this.#clock,
      address,
      path,
      body,
      deadlineMs,
      lateMs: late?.waitMs ?? 0,
      onLate: (received) => {
        const answer = call.answer.safeParse(received.body);
        if (received.status === 200 && answer.success) late?.take(answer.data);
      },
      onEnded: () => {
        peer.calls -= 1;
      },
    });
  }

  #peer(call: { readonly address: string; readonly peer: Peer }) {
    const name = peerName(call.peer);
    const key = `${call.address} ${name}`;
    const known = this.#peers.get(key);
    if (known) return known;
    const { address } = call;
    const newAgent = () =>
      agentFor({
        address,
        name,
        credentials: this.#identity.current,
        way: this.#ways?.to(address),
      });
    const peer = { agent: newAgent(), newAgent, breaker: new Breaker(), calls: 0 };
    this.#peers.set(key, peer);
    return peer;
  }

  #takePeers(address: string): LinkedPeer[] {
    const taken = [...this.#peers].filter(([key]) => key.startsWith(`${address} `));
    for (const [key] of taken) this.#peers.delete(key);
    return taken.map(([, peer]) => peer);
  }

  /** The next call finds a peer anew: what failed on the former way says nothing of this one. */
  #changeWay({ address, broken }: WayChange): void {
    for (const { agent } of this.#takePeers(address)) {
      // Their callers hear of what fails; nobody waits for the connections themselves.
      (broken ? agent.destroy() : agent.close()).catch(() => undefined);
    }
  }

  /** Calls under way finish on the connections they have. */
  #renewConnections(): void {
    for (const peer of this.#peers.values()) {
      // Their callers hear of what fails; nobody waits for the connections themselves.
      peer.agent.close().catch(() => undefined);
      peer.agent = peer.newAgent();
    }
  }
}

interface LinkedPeer {
  agent: Agent;
  readonly newAgent: () => Agent;
  readonly breaker: Breaker;
  calls: number;
}

/** @throws {MeridianError} the peer's own failure; `unavailable` for an answer of a wrong form */
function answerOf<T>(call: LinkCall<T>, { status, body }: Received): T {
  if (status !== 200) throw failureFromBody(status, body);
  const parsed = call.answer.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new MeridianError("unavailable", {
    message: `${call.path} at ${call.address} answered in a wrong form`,
    cause: parsed.error,
  });
}
