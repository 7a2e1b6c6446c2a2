/**
 * One player of the crowd who is a stock Colyseus client: it decodes every patch of its room, and tells
 * whether the state is right. The rest of the crowd only counts.
 */
import { Client, type Room } from "@colyseus/sdk";
import type { Random } from "../../../region/rooms/random.ts";
import { type Cancel, systemClock } from "../../../shared/clock.ts";
import type { Seat } from "./contenders.ts";
import { type FieldState, RATE_HZ, ROOM_SEATS, TICK_MS } from "./game.ts";
import { FIRST_INPUT } from "./input-frame.ts";

const FULL_TURN = 2 * Math.PI;
/** Of a player's inputs in a window; the machine may have other work. */
const INPUTS_SHARE_MIN = 0.5;
/** Inputs that may be on their way. */
const FACINGS_KEPT = 2 * RATE_HZ;

export interface Sight {
  readonly x: number;
  readonly y: number;
  readonly lastInput: number;
}

export class Observer {
  readonly #room: Room<unknown, FieldState>;
  readonly #random: Random;
  /** By input, those that are still to be acknowledged. */
  readonly #facings = new Map<number, number>();
  #input = FIRST_INPUT;
  #stop: Cancel = () => {};

  private constructor(room: Room<unknown, FieldState>, random: Random) {
    this.#room = room;
    this.#random = random;
  }

  static async join(seat: Seat, random: Random): Promise<Observer> {
    // Never called: whoever has a seat asks nobody for one.
    const client = new Client("ws://127.0.0.1:1");
    const room = await client.consumeSeatReservation<FieldState>({ ...seat });
    // The run is over when the connection is lost.
    room.reconnection.enabled = false;
    return new Observer(room, random);
  }

  play(): void {
    this.rest();
    this.#stop = systemClock.every(TICK_MS, () => this.#sendInput());
  }

  rest(): void {
    this.#stop();
  }

  /** Everyone in the room, by session. */
  look(): ReadonlyMap<string, Sight> {
    const sights = new Map<string, Sight>();
    for (const [sessionId, { x, y, lastInput }] of this.#room.state.runners.entries()) {
      sights.set(sessionId, { x, y, lastInput });
    }
    return sights;
  }

  /** @throws unless everyone moved and was heard since then, and the own inputs arrived as sent */
  check(before: ReadonlyMap<string, Sight>, windowMs: number): void {
    const inputsMin = (windowMs / TICK_MS) * INPUTS_SHARE_MIN;
    const now = this.look();
    if (now.size !== ROOM_SEATS)
      throw new Error(`the room has ${now.size} of ${ROOM_SEATS} players`);
    for (const [sessionId, { x, y, lastInput }] of now) {
      const then = before.get(sessionId);
      if (!then || (x === then.x && y === then.y)) throw new Error("a player did not move");
      const inputs = lastInput - then.lastInput;
      if (inputs < inputsMin) throw new Error(`only ${inputs} of a player's inputs arrived`);
    }
    this.#checkOwn();
  }

  #checkOwn(): void {
    const own = this.#room.state.runners.get(this.#room.sessionId);
    const sent = own && this.#facings.get(own.lastInput);
    if (!own || sent === undefined || own.facing !== Math.fround(sent)) {
      throw new Error("an input did not come back as it was sent");
    }
  }

  #sendInput(): void {
    this.#input += 1;
    const facing = this.#random.float() * FULL_TURN;
    this.#facings.set(this.#input, facing);
    this.#facings.delete(this.#input - FACINGS_KEPT);
    this.#room.send("move", { input: this.#input, facing });
  }
}
