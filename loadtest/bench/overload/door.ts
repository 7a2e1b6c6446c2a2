/** How a player is let in: what is said over HTTP until the room's address is known. */
import { systemClock } from "../../../shared/clock.ts";
import type { ErrorBody } from "../../../shared/errors.ts";
import type { JoinOutcome } from "../../../shared/protocol/join.ts";
import type { PollAnswer, QueuePlace } from "../../../shared/protocol/queue.ts";
import { PROTOCOL_VERSION } from "../../../shared/protocol/version.ts";
import { type Reservation, socketPath } from "../join/join-target.ts";
import type { LeanAnswer, LeanPool } from "../lean-pool.ts";
import type { LeanAddress } from "../lean-socket.ts";
import type { MintedPlayer } from "../minted-players.ts";
import { GAME } from "../rooms/game.ts";
import type { Attempt } from "./attempt.ts";
import type { Ending } from "./ending.ts";

/** As often as a client comes back by itself. */
const TRIES_MAX = 10;
const AGAIN_MS = 1_000;
/** A place's number is the time at which it was given, in so many steps a ms. */
export const NUMBERS_PER_MS = 1_024;
const ADDRESSES = 256;

export interface Door {
  readonly name: string;
  readonly acknowledges: boolean;
  /**
   * @param ending when whoever still waits is to give up
   * @returns where the room is; undefined for one who was not let in, and why stands in the attempt
   */
  knock(player: MintedPlayer, attempt: Attempt, ending: Ending): Promise<LeanAddress | undefined>;
}

const now = () => systemClock.monotonicMs();

/** As our client does: joins, waits in the queue, polls when told, and joins again once called. */
export class MeridianDoor implements Door {
  readonly name = "meridian";
  readonly acknowledges = false;
  readonly #pool: LeanPool;
  #turn = 0;

  constructor(pool: LeanPool) {
    this.#pool = pool;
  }

  async knock(
    { accessToken }: MintedPlayer,
    attempt: Attempt,
    ending: Ending,
  ): Promise<LeanAddress | undefined> {
    attempt.number = Math.floor(Date.now()) * NUMBERS_PER_MS;
    let queueToken: string | undefined;
    for (;;) {
      const askedAtMs = now();
      const request = { game: GAME, protocol: PROTOCOL_VERSION, mayQueue: true, queueToken };
      const answer = await this.#pool.post("/v1/join", JSON.stringify(request), accessToken);
      if (answer.status !== 200) {
        if (await this.#refused(attempt, answer, ending)) continue;
        return undefined;
      }
      const outcome = JSON.parse(answer.body) as JoinOutcome;
      if ("reservation" in outcome) {
        attempt.admittedAtMs = now();
        return this.#addressOf(outcome.reservation);
      }
      note(attempt, outcome.queue, askedAtMs);
      queueToken = await this.#wait(attempt, outcome.queue, ending);
      if (queueToken === undefined) return undefined;
    }
  }

  /** @returns the token of the called place; undefined when the player goes without a seat */
  async #wait(attempt: Attempt, place: QueuePlace, ending: Ending): Promise<string | undefined> {
    let { token, pollAfterMs, state } = place;
    while (state !== "called") {
      await ending.sleep(pollAfterMs);
      if (ending.over) {
        attempt.end = "gave up";
        await this.#pool.post("/v1/queue/leave", JSON.stringify({ token }));
        return undefined;
      }
      const askedAtMs = now();
      const body = JSON.stringify({ token, hold: true });
      const answer = await this.#pool.post("/v1/queue/poll", body);
      if (answer.status !== 200) {
        if (await this.#refused(attempt, answer, ending)) continue;
        return undefined;
      }
      const { queue } = JSON.parse(answer.body) as PollAnswer;
      ({ token, pollAfterMs, state } = queue);
      note(attempt, queue, askedAtMs);
    }
    return token;
  }

  /** @returns whether to come back */
  async #refused(attempt: Attempt, answer: LeanAnswer, ending: Ending): Promise<boolean> {
    attempt.refusals += 1;
    attempt.end = `refused: ${kindOf(answer)}`;
    if (answer.status === 404 || attempt.refusals > TRIES_MAX) return false;
    await ending.sleep(answer.retryAfterMs || AGAIN_MS);
    return true;
  }

  #addressOf(reservation: Reservation & { readonly publicAddress: string }): LeanAddress {
    this.#turn += 1;
    const place = new URL(`http://${reservation.publicAddress}`);
    return {
      host: place.hostname,
      port: Number(place.port),
      path: `${place.pathname}${socketPath(reservation)}&acknowledged=1`,
      // One address has ports for some 28,000 connections; real players don't share one at all.
      localAddress: `127.66.${this.#turn % ADDRESSES}.1`,
    };
  }
}

/** Stock Colyseus: whoever asks gets a seat, or a failure. */
export class ColyseusDoor implements Door {
  readonly name = "colyseus";
  readonly acknowledges = true;
  readonly #pool: LeanPool;
  readonly #port: number;
  #turn = 0;

  constructor(pool: LeanPool, port: number) {
    this.#pool = pool;
    this.#port = port;
  }

  async knock(_: MintedPlayer, attempt: Attempt): Promise<LeanAddress | undefined> {
    const answer = await this.#pool.post(`/matchmake/joinOrCreate/${GAME}`, "{}");
    if (answer.status !== 200) {
      attempt.end = `refused: ${answer.status}`;
      return undefined;
    }
    attempt.admittedAtMs = now();
    this.#turn += 1;
    return {
      host: "127.0.0.1",
      port: this.#port,
      path: socketPath(JSON.parse(answer.body) as Reservation),
      localAddress: `127.66.${this.#turn % ADDRESSES}.1`,
    };
  }
}

function note(attempt: Attempt, queue: QueuePlace, askedAtMs: number): void {
  attempt.direct = false;
  attempt.number = queue.number;
  attempt.told.push({
    askedAtMs,
    atMs: now(),
    called: queue.state === "called",
    position: queue.position ?? 0,
    etaMs: queue.eta?.ms ?? null,
  });
}

function kindOf({ status, body }: LeanAnswer): string {
  if (status === 0) return "no answer";
  try {
    return (JSON.parse(body) as ErrorBody).error.kind;
  } catch {
    return String(status);
  }
}
