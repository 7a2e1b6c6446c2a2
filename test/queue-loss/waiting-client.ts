/**
 * One client that waits, as any client of the HTTP API does: joins, polls exactly when it is told to, shows its
 * newest token, and asks again for as long as nobody answers.
 */
import type { Dispatcher } from "undici";
import { JoinOutcome } from "../../shared/protocol/join.ts";
import { PollAnswer, type QueuePlace } from "../../shared/protocol/queue.ts";

/** How soon a call that got no answer is tried again, ms: between so much and twice that. */
const AGAIN_MS = 500;
const DEADLINE_MS = 15_000;

export interface ClientEvents {
  /** The place was told; first by the join, then by each poll. */
  placed(client: WaitingClient, place: QueuePlace): void;
  /** A seat is held for it. */
  called(client: WaitingClient): void;
  /** There is no such place any more. */
  lost(client: WaitingClient, kind: string): void;
}

export class WaitingClient {
  readonly #http: Dispatcher;
  readonly #origin: string;
  readonly #random: () => number;
  readonly #events: ClientEvents;
  #place: QueuePlace | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(http: Dispatcher, origin: string, random: () => number, events: ClientEvents) {
    this.#http = http;
    this.#origin = origin;
    this.#random = random;
    this.#events = events;
  }

  /** As last told. */
  get place(): QueuePlace | undefined {
    return this.#place;
  }

  /** Makes a guest and joins. @throws {Error} without a place */
  async join(game: string): Promise<void> {
    const guest = await this.#post("/v1/guests", { name: "Waiting" });
    if (guest.status !== 201 && guest.status !== 200) throw new Error(`no guest: ${guest.status}`);
    const { accessToken } = guest.body as { accessToken: string };
    const join = { game, protocol: 1, mayQueue: true };
    const answer = await this.#post("/v1/join", join, accessToken);
    const outcome = JoinOutcome.safeParse(answer.body);
    if (!outcome.data || !("queue" in outcome.data)) {
      throw new Error(`no place: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`);
    }
    this.#told(outcome.data.queue);
  }

  /** Gives the place up. */
  async leave(): Promise<void> {
    this.stop();
    if (this.#place) await this.#post("/v1/queue/leave", { token: this.#place.token });
  }

  /** Asks no more. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #told(place: QueuePlace): void {
    if (this.#over) return;
    this.#place = place;
    this.#events.placed(this, place);
    if (place.state === "called") this.#events.called(this);
    if (!this.#over) this.#pollIn(place.pollAfterMs);
  }

  #pollIn(ms: number): void {
    this.#timer = setTimeout(() => {
      // Its failures are handled inside.
      void this.#poll();
    }, ms);
  }

  async #poll(): Promise<void> {
    try {
      const answer = await this.#post("/v1/queue/poll", { token: this.#place?.token, hold: true });
      const { data } = PollAnswer.safeParse(answer.body);
      if (data) return this.#told(data.queue);
      const { kind, retryable, retryAfterMs } = (answer.body as Failure).error;
      if (!retryable) {
        this.stop();
        return this.#events.lost(this, kind);
      }
      if (!this.#over) this.#pollIn(retryAfterMs ?? this.#againMs());
    } catch {
      // The core is away: the place is kept for a while, and so is the token.
      if (!this.#over) this.#pollIn(this.#againMs());
    }
  }

  #againMs(): number {
    return AGAIN_MS * (1 + this.#random());
  }

  async #post(path: string, body: unknown, token?: string) {
    const response = await this.#http.request({
      origin: this.#origin,
      path,
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      headersTimeout: DEADLINE_MS,
      bodyTimeout: DEADLINE_MS,
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: text === "" ? undefined : JSON.parse(text) };
  }
}

interface Failure {
  readonly error: {
    readonly kind: string;
    readonly retryable: boolean;
    readonly retryAfterMs?: number;
  };
}
