/**
 * A hook of the studio's: each order is posted as JSON to a URL, for whatever makes and ends nodes there.
 *
 * The body is signed: `x-meridian-signature` is `v1=` and HMAC-SHA256, in hexadecimal, of the header
 * `x-meridian-timestamp` (seconds since 1970), a dot and the body, under a secret that both sides have. So a receiver
 * knows who asks, and refuses what is old. An order says how many nodes there are to be, so it may come again:
 * `idempotency-key` is the same for the attempts of one. One that was taken is repeated only after `REPEAT_MS`, as
 * long as its nodes are not there. Redirects are not followed.
 */
import { createHmac, randomUUID } from "node:crypto";
import { type Clock, sleep } from "../../../shared/clock.ts";
import type { MeridianError } from "../../../shared/errors.ts";
import type { RegionId } from "../../../shared/ids.ts";
import { postHook } from "../../http/post-hook.ts";
import type { NodePool, Order } from "./node-pool.ts";

const ATTEMPTS_MAX = 3;
const RETRY_FIRST_MS = 250;
const REPEAT_MS = 60_000;

export interface HookPoolOptions {
  readonly url: string;
  readonly secret: string;
  /** Of one attempt. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
}

interface Taken {
  readonly order: string;
  /** Monotonic. */
  readonly atMs: number;
}

export class HookPool implements NodePool {
  readonly name = "http";
  readonly #options: HookPoolOptions;
  /** The last order of each region. */
  readonly #taken = new Map<RegionId, Taken>();

  constructor(options: HookPoolOptions) {
    this.#options = options;
  }

  async setNodes(order: Order, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const { regionId, nodes, without } = order;
    const key = `${nodes} ${without?.nodeId ?? ""}`;
    const taken = this.#taken.get(regionId);
    if (taken?.order === key && clock.monotonicMs() - taken.atMs < REPEAT_MS) return;
    const body = JSON.stringify(bodyOf(order));
    const id = randomUUID();
    for (let attempt = 1; ; attempt += 1) {
      const failure = await this.#post(body, id, signal);
      if (!failure) break;
      if (!failure.retryable || attempt === ATTEMPTS_MAX || signal.aborted) throw failure;
      await sleep(clock, RETRY_FIRST_MS * 2 ** (attempt - 1) * (0.5 + random() / 2), signal);
    }
    this.#taken.set(regionId, { order: key, atMs: clock.monotonicMs() });
  }

  #post(body: string, key: string, signal: AbortSignal): Promise<MeridianError | undefined> {
    const { url, secret, deadlineMs, clock } = this.#options;
    const timestamp = String(Math.floor(clock.nowMs() / 1_000));
    const headers = {
      "x-meridian-timestamp": timestamp,
      "x-meridian-signature": signatureOf(secret, timestamp, body),
    };
    return postHook({ what: "the scaling hook", url, headers, key, body, deadlineMs, signal });
  }
}

export function signatureOf(secret: string, timestamp: string, body: string): string {
  return `v1=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`;
}

/** What the receiver gets. */
function bodyOf({ regionId, nodes, without, reason, why }: Order) {
  const remove = without ? { nodeId: without.nodeId, linkAddress: without.linkAddress } : null;
  return { regionId, nodes, remove, reason, why };
}
