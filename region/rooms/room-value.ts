/**
 * What a room does with its players' money and items: decided by the core, durable when it resolves.
 *
 * Each operation has a cause, which is the room's word for why it happens: a round, an entity. Under one
 * cause a player is credited once, whatever the room forgot and does again after it was restored. So a
 * cause is never chance or time, and never used for two things.
 */
import type { Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId, RoomId } from "../../shared/ids.ts";
import {
  Cause,
  type Refusal,
  type RoomOps,
  type ValueAnswer,
  type ValueChange,
  ValueOp,
  type WalletBalance,
} from "../../shared/protocol/value.ts";

/** Carries an operation to the core, and brings its decision. */
export interface ValueService {
  /**
   * Resolves when the outcome is known, however long that takes once it was sent.
   * @throws {MeridianError} when it is certain that nothing happened: `unavailable`, `fenced`, `conflict`
   */
  apply(room: OwnedRoom, op: ValueOp): Promise<ValueAnswer>;
  /** The room's committed operations after a place. @throws {MeridianError} `unavailable`, `fenced` */
  opsAfter(room: OwnedRoom, opSeq: number): Promise<RoomOps>;
}

export interface OwnedRoom {
  readonly roomId: RoomId;
  readonly roomEpoch: Epoch;
  /** The highest place that the room heard of, whenever it is read. */
  readonly opSeq?: number;
}

/** The core decided against it, for good. */
export class ValueRefused extends MeridianError {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super("value_refused", { message: `The core refused it: ${refusal}.` });
    this.refusal = refusal;
  }
}

export interface Because {
  readonly cause: string;
}

/** What one side of a trade gives. */
export interface Offer {
  readonly items?: readonly string[];
  /** By currency. */
  readonly money?: Readonly<Record<string, number>>;
}

export class RoomValue {
  readonly #room: () => OwnedRoom;
  readonly #service: ValueService;
  readonly #answered: (op: ValueOp, answer: ValueAnswer) => void;

  /**
   * @param room throws when it can have no operation now
   * @param answered is told of each outcome before whoever asked for it
   */
  constructor(
    room: () => OwnedRoom,
    service: ValueService,
    answered: (op: ValueOp, answer: ValueAnswer) => void,
  ) {
    this.#room = room;
    this.#service = service;
    this.#answered = answered;
  }

  /** @param whom whose operation it is: with the room and the cause it makes the id */
  async commit(
    whom: string,
    { cause }: Because,
    changes: readonly ValueChange[],
  ): Promise<readonly WalletBalance[]> {
    const room = this.#room();
    const id = `${room.roomId}/${Cause.parse(cause)}/${whom}`;
    const op = ValueOp.parse({ id, changes });
    const answer = await this.#service.apply(room, op);
    this.#answered(op, answer);
    if (answer.outcome === "refused") throw new ValueRefused(answer.refusal);
    return answer.wallets;
  }
}

/** A player's money, by currency, in whole units. */
export class Wallet {
  readonly #value: RoomValue;
  readonly #playerId: PlayerId;

  constructor(value: RoomValue, playerId: PlayerId) {
    this.#value = value;
    this.#playerId = playerId;
  }

  /**
   * @returns the balance after it
   * @throws {MeridianError} as `ValueService.apply`; {ValueRefused}
   */
  credit(currency: string, amount: number, because: Because): Promise<number> {
    return this.#change({ kind: "credit", playerId: this.#playerId, currency, amount }, because);
  }

  /** As `credit`; `insufficient_funds` is a refusal. */
  debit(currency: string, amount: number, because: Because): Promise<number> {
    return this.#change({ kind: "debit", playerId: this.#playerId, currency, amount }, because);
  }

  async #change(
    change: ValueChange & { readonly currency: string },
    because: Because,
  ): Promise<number> {
    const wallets = await this.#value.commit(this.#playerId, because, [change]);
    return wallets.find(({ currency }) => currency === change.currency)?.balance ?? 0;
  }
}

/** A player's items, each of which has one owner. */
export class Items {
  readonly #value: RoomValue;
  readonly #playerId: PlayerId;

  constructor(value: RoomValue, playerId: PlayerId) {
    this.#value = value;
    this.#playerId = playerId;
  }

  /** Makes an item for the player. @param itemId unique in the whole world, for ever */
  async grant(itemId: string, itemKind: string, because: Because): Promise<void> {
    const change = { kind: "grantItem", itemId, itemKind, playerId: this.#playerId } as const;
    await this.#value.commit(this.#playerId, because, [change]);
  }

  /** The item is no more. */
  async take(itemId: string, because: Because): Promise<void> {
    const change = { kind: "takeItem", itemId, playerId: this.#playerId } as const;
    await this.#value.commit(this.#playerId, because, [change]);
  }
}

/** What both sides of a trade give becomes the other's. */
export function tradeChanges(a: PlayerId, fromA: Offer, b: PlayerId, fromB: Offer): ValueChange[] {
  return [...given(a, b, fromA), ...given(b, a, fromB)];
}

function given(from: PlayerId, to: PlayerId, { items = [], money = {} }: Offer): ValueChange[] {
  return [
    ...items.map((itemId) => ({ kind: "giveItem", itemId, from, to }) as const),
    ...Object.entries(money).map(
      ([currency, amount]) => ({ kind: "pay", from, to, currency, amount }) as const,
    ),
  ];
}
