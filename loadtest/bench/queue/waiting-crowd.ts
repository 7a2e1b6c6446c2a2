/**
 * Clients that wait, as many as there may be: each enters by a join, polls exactly when it was told to, over
 * connections that all share, and joins again once it is called. A client is a few fields here, no object of its
 * own timers: they are looked at in steps of 10 ms.
 */
import { type Cancel, systemClock } from "../../../shared/clock.ts";
import type { JoinOutcome } from "../../../shared/protocol/join.ts";
import type { PollAnswer } from "../../../shared/protocol/queue.ts";
import { PROTOCOL_VERSION } from "../../../shared/protocol/version.ts";
import type { LeanPool } from "../lean-pool.ts";
import type { MintedPlayer } from "../minted-players.ts";

const STEP_MS = 10;
const AGAIN_MS = 1_000;
const GAME = "arena";

interface Client {
  readonly accessToken: string;
  /** Of the place. */
  token: string;
  seated: boolean;
}

export class WaitingCrowd {
  /** From when each poll was sent to its answer. */
  readonly pollsMs: number[] = [];
  readonly refused = new Map<string, number>();
  waiting = 0;
  seated = 0;
  lastPollBytes = 0;
  lastPoll = "";
  readonly #pool: LeanPool;
  /** By step, those who are to poll then. */
  readonly #wheel = new Map<number, Client[]>();
  readonly #stop: Cancel;
  #step: number;
  #stopped = false;

  constructor(pool: LeanPool) {
    this.#pool = pool;
    this.#step = stepOf(0);
    this.#stop = systemClock.every(STEP_MS, () => this.#turn());
  }

  /** @returns when the player has a place */
  async enter({ accessToken }: MintedPlayer): Promise<void> {
    await this.#join({ accessToken, token: "", seated: false });
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
  }

  #turn(): void {
    for (const now = stepOf(0); this.#step <= now; this.#step += 1) {
      const due = this.#wheel.get(this.#step);
      if (!due) continue;
      this.#wheel.delete(this.#step);
      for (const client of due)
        void (client.token === "" ? this.#join(client) : this.#poll(client));
    }
  }

  #again(client: Client, afterMs: number): void {
    const step = Math.max(this.#step, stepOf(afterMs));
    const others = this.#wheel.get(step);
    if (others) others.push(client);
    else this.#wheel.set(step, [client]);
  }

  async #join(client: Client): Promise<void> {
    const { accessToken, token } = client;
    const request = {
      game: GAME,
      protocol: PROTOCOL_VERSION,
      mayQueue: true,
      ...(token !== "" && { queueToken: token }),
    };
    const answer = await this.#pool.post("/v1/join", JSON.stringify(request), accessToken);
    if (answer.status !== 200) {
      this.#refused(`join ${answer.status}`);
      this.#again(client, answer.retryAfterMs || AGAIN_MS);
      return;
    }
    const outcome = JSON.parse(answer.body) as JoinOutcome;
    if ("queue" in outcome) {
      if (token === "") this.waiting += 1;
      client.token = outcome.queue.token;
      this.#again(client, outcome.queue.pollAfterMs);
      return;
    }
    this.waiting -= 1;
    this.seated += 1;
  }

  async #poll(client: Client): Promise<void> {
    const sentMs = systemClock.monotonicMs();
    const poll = JSON.stringify({ token: client.token });
    const answer = await this.#pool.post("/v1/queue/poll", poll);
    if (this.#stopped) return;
    this.pollsMs.push(systemClock.monotonicMs() - sentMs);
    if (answer.status !== 200) {
      this.#refused(`poll ${answer.status}`);
      if (answer.status !== 404) this.#again(client, answer.retryAfterMs || AGAIN_MS);
      return;
    }
    const { queue } = JSON.parse(answer.body) as PollAnswer;
    this.lastPoll = poll;
    this.lastPollBytes = answer.body.length;
    client.token = queue.token;
    if (queue.state === "called") await this.#join(client);
    else this.#again(client, queue.pollAfterMs);
  }

  #refused(what: string): void {
    this.refused.set(what, (this.refused.get(what) ?? 0) + 1);
  }
}

function stepOf(afterMs: number): number {
  return Math.ceil((systemClock.monotonicMs() + afterMs) / STEP_MS);
}
