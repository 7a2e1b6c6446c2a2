/**
 * Takes the seats of one stay. A ticket is a seat: one that was given and not reached, because its region
 * is gone or the game took long to load, is shown again for another before anything else is tried.
 */
import type { Clock } from "../clock.ts";
import { isFailure, MeridianError } from "../errors.ts";
import type { JoinAnswer, JoinOutcome, JoinRequest, RenewRequest } from "../protocol/join.ts";

export interface SeatTakerOptions {
  readonly join: (request: JoinRequest) => Promise<JoinOutcome>;
  readonly renew: (request: RenewRequest) => Promise<JoinAnswer>;
  /** Loads what the game needs once the seat is certain. */
  readonly prepare: (() => Promise<void>) | undefined;
  readonly clock: Clock;
}

export class SeatTaker {
  readonly #options: SeatTakerOptions;
  /** The last ticket that brought nobody in. */
  #unused: string | undefined;
  /** Whether a call got no answer since: what overtook the ticket may be the seat that it was given. */
  #answerLost = false;

  constructor(options: SeatTakerOptions) {
    this.#options = options;
  }

  /** @returns a place where no seat is free yet @throws {MeridianError} why there is neither */
  async take(request: JoinRequest): Promise<JoinOutcome> {
    const { prepare } = this.#options;
    const seat = (await this.#instead(request)) ?? (await this.#join(request));
    if ("queue" in seat) return seat;
    this.#gave(seat);
    return prepare ? this.#keep(seat, request, prepare()) : seat;
  }

  /** The player is in the room: the ticket is spent. */
  arrived(): void {
    this.#unused = undefined;
    this.#answerLost = false;
  }

  /** A seat for the unused ticket; undefined when there is none, or only a join can help. */
  async #instead(request: JoinRequest): Promise<JoinAnswer | undefined> {
    if (this.#unused === undefined) return undefined;
    try {
      return await this.#renew(this.#unused, request);
    } catch (error) {
      if (!isFailure(error) || this.#isTakenOver(error)) throw error;
      return undefined;
    }
  }

  /** Renews the ticket at half its life, until what the game prepares is there. */
  async #keep(
    seat: JoinAnswer,
    request: JoinRequest,
    prepared: Promise<void>,
  ): Promise<JoinAnswer> {
    let kept = seat;
    let failure: unknown;
    const renew = async () => {
      try {
        kept = await this.#renew(kept.ticket, request);
        this.#gave(kept);
        failure = undefined;
      } catch (error) {
        failure = error;
      }
    };
    const cancel = this.#options.clock.every(seat.ticketExpiresInMs / 2, () => void renew());
    try {
      await prepared;
    } catch (cause) {
      throw new MeridianError("not_prepared", { cause });
    } finally {
      cancel();
    }
    if (failure) throw failure;
    return kept;
  }

  #gave({ ticket }: JoinAnswer): void {
    this.#unused = ticket;
    this.#answerLost = false;
  }

  /** By another device of the player, which has the last word. */
  #isTakenOver(error: MeridianError): boolean {
    return error.kind === "session_taken_over" && !this.#answerLost;
  }

  #join(request: JoinRequest): Promise<JoinOutcome> {
    return this.#noting(this.#options.join(request));
  }

  #renew(ticket: string, { mode, options }: JoinRequest): Promise<JoinAnswer> {
    const renewal = this.#options.renew({
      ticket,
      ...(mode && { mode }),
      ...(options && { options }),
    });
    return this.#noting(renewal);
  }

  async #noting<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      if (isFailure(error, "timeout") || isFailure(error, "unavailable")) this.#answerLost = true;
      throw error;
    }
  }
}
