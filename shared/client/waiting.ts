/**
 * Carries out what `queue-step.ts` decides: polls and streams, and the place's token, which is kept in the
 * guest's storage, so that a reload of the page costs no place.
 */
import { z } from "zod";
import type { Cancel, Clock } from "../clock.ts";
import { isFailure, MeridianError } from "../errors.ts";
import { PollAnswer, QueuePlace, QueueToken } from "../protocol/queue.ts";
import type { Api } from "./api.ts";
import { EventStream } from "./event-stream.ts";
import type { Beginning, Circumstances, QueueEffect, QueueEvent } from "./queue-step.ts";
import type { KeyValueStorage } from "./storage.ts";

/** Above what the server may hold an answer back. */
const POLL_DEADLINE_MS = 15_000;
/** A stream says something every 5 s; one that does not has a dead connection. */
const STREAM_SILENT_MS = 20_000;

const Kept = z.object({
  token: QueueToken,
  /** Which place it is. */
  number: z.number(),
  playerId: z.string(),
  beginning: z.object({ position: z.number().nullable(), atMs: z.number() }),
});
type Kept = z.infer<typeof Kept>;
type Poll = Extract<QueueEffect, { readonly type: "poll" }>;

export interface WaitingOptions {
  readonly api: Api;
  readonly clock: Clock;
  readonly storage: KeyValueStorage;
  /** Places are kept by game. */
  readonly game: string;
  /** Whose place it is: another one's, which a duplicated tab may find, is of no use. */
  readonly playerId: () => string | undefined;
}

/** A call that is under way. Of one that was ended nothing is told any more, nor is its token kept. */
interface Calling {
  readonly signal: AbortSignal;
  heard(place: QueuePlace): void;
  failed(error: MeridianError): void;
}

export class Waiting {
  readonly #options: WaitingOptions;
  /** Ends the call that is under way. */
  #calling = new AbortController();
  #givingUp: Promise<void> = Promise.resolve();

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /** Of the place that there is, also from before a reload. */
  get token(): string | undefined {
    return this.#kept?.token;
  }

  get circumstances(): Circumstances {
    const inPage = "document" in globalThis;
    return { hidden: inPage && document.visibilityState === "hidden", streams: inPage };
  }

  /** Resolves when the core was told of the last place that was given up, or could not be. */
  get givenUp(): Promise<void> {
    return this.#givingUp;
  }

  /** Remembers the newest token. @returns how the wait for it began */
  keep({ token, number, position }: QueuePlace): Beginning {
    const { storage, clock, playerId } = this.#options;
    const before = this.#kept;
    const known = before?.number === number ? before.beginning : undefined;
    const beginning = { position: known?.position ?? position, atMs: known?.atMs ?? clock.nowMs() };
    const kept: Kept = { token, number, playerId: playerId() ?? "", beginning };
    storage.setItem(this.#key, JSON.stringify(kept));
    return beginning;
  }

  forget(): void {
    this.#options.storage.removeItem(this.#key);
  }

  carryOut(effect: QueueEffect, tell: (event: QueueEvent) => void): void {
    this.#calling.abort();
    this.#calling = new AbortController();
    const { signal } = this.#calling;
    const call: Calling = {
      signal,
      heard: (place) => {
        if (!signal.aborted) tell({ type: "place", place, beginning: this.keep(place) });
      },
      failed: (error) => {
        if (!signal.aborted) tell({ type: "unanswered", error });
      },
    };
    // Their failures are told as an event.
    if (effect.type === "poll") void this.#poll(effect, call);
    if (effect.type === "stream") void this.#stream(call);
  }

  /** Lets others have the place. @param token of a place that was never used; else the one that is kept */
  giveUp(token = this.token): void {
    if (token === undefined) return;
    if (token === this.token) this.forget();
    const call = { method: "POST", path: "/v1/queue/leave", body: { token } } as const;
    // A place that the core does not hear of any more is given up by that, a little later.
    const told = this.#options.api.call({ ...call, schema: z.unknown() }).catch(() => {});
    this.#givingUp = Promise.all([this.#givingUp, told]).then(() => {});
  }

  async #poll({ hidden, accept }: Poll, { heard, failed }: Calling): Promise<void> {
    const body = { token: this.token ?? "", hidden, hold: true, ...(accept && { accept }) };
    try {
      const { queue } = await this.#options.api.call({
        method: "POST",
        path: "/v1/queue/poll",
        body,
        schema: PollAnswer,
        deadlineMs: POLL_DEADLINE_MS,
      });
      heard(queue);
    } catch (error) {
      failed(failureOf(error));
    }
  }

  async #stream({ signal, heard, failed }: Calling): Promise<void> {
    const ending = new AbortController();
    const end = () => ending.abort();
    signal.addEventListener("abort", end);
    let cancel: Cancel = () => {};
    const watch = () => {
      cancel();
      cancel = this.#options.clock.after(STREAM_SILENT_MS, end);
    };
    watch();
    try {
      const body = { token: this.token ?? "" };
      const bytes = await this.#options.api.stream("/v1/queue/events", body, ending.signal);
      const stream = new EventStream();
      for (;;) {
        const { done, value } = await bytes.read();
        if (done) throw new MeridianError("unavailable", { message: "The stream has ended." });
        watch();
        for (const { name, data } of stream.push(value)) {
          if (name === "lost") throw new MeridianError("place_lost");
          if (name === "place") heard(QueuePlace.parse(JSON.parse(data)));
        }
      }
    } catch (error) {
      failed(failureOf(error));
    } finally {
      cancel();
      ending.abort();
      signal.removeEventListener("abort", end);
    }
  }

  get #key(): string {
    return `meridian.place.${this.#options.game}`;
  }

  get #kept(): Kept | undefined {
    const { storage, playerId } = this.#options;
    const kept = Kept.safeParse(parsed(storage.getItem(this.#key)));
    return kept.success && kept.data.playerId === playerId() ? kept.data : undefined;
  }
}

function failureOf(cause: unknown): MeridianError {
  return isFailure(cause) ? cause : new MeridianError("unavailable", { cause });
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    // Written by something else under our name: as good as nothing.
    return null;
  }
}
