/**
 * What the core says that a player owns, held against what the player was shown. Nothing is spent by players of a load
 * test, so no balance ever falls; and what a room showed as banked is there a moment after the player has left.
 */
import { isFailure } from "../../../shared/errors.ts";
import { pause } from "../engine/clock.ts";
import { type FailureKind, failed } from "../engine/metrics.ts";
import type { Owed } from "../games/game.ts";
import type { Account } from "./account.ts";

/** The room commits what a player banked when they leave. */
const OWED_MS_MAX = 5_000;
const ASK_EVERY_MS = 250;

export class Wallet {
  violations = 0;
  readonly #account: Account;
  readonly #name: string;
  #balances: ReadonlyMap<string, number> = new Map();
  /** When the present stay began. */
  #before: ReadonlyMap<string, number> = new Map();

  constructor(account: Account, name: string) {
    this.#account = account;
    this.#name = name;
  }

  /** Before the first stay. @returns whether the core answered */
  async begin(): Promise<boolean> {
    const answered = await this.look();
    this.#before = this.#balances;
    return answered;
  }

  /** Asks the core. @returns whether it answered */
  async look(): Promise<boolean> {
    try {
      const balances = await this.#account.balances();
      for (const [currency, was] of this.#balances) {
        const is = balances.get(currency) ?? 0;
        if (is < was) this.#failed("wallet_fell", `${currency} from ${was} to ${is}`);
      }
      this.#balances = balances;
      return true;
    } catch (error) {
      if (isFailure(error)) return false;
      throw error;
    }
  }

  /** The room says what the player has: that is the core's word, and stays. */
  told({ currency, amount }: Owed): void {
    const known = this.#balances.get(currency) ?? 0;
    if (amount >= known) this.#balances = new Map([...this.#balances, [currency, amount]]);
    else this.#failed("wallet_fell", `${currency} from ${known} to ${amount}, says the room`);
  }

  /** Waits for what is owed since the stay began; from then on it is the next one's beginning. */
  async expect({ currency, amount }: Owed): Promise<void> {
    const wanted = (this.#before.get(currency) ?? 0) + amount;
    const endMs = Date.now() + OWED_MS_MAX;
    do {
      await pause(ASK_EVERY_MS);
      const answered = await this.look();
      if (answered && (this.#balances.get(currency) ?? 0) >= wanted) break;
    } while (Date.now() < endMs);
    const has = this.#balances.get(currency) ?? 0;
    if (has < wanted) this.#failed("coin_lost", `has ${has} ${currency}, and was shown ${wanted}`);
    this.#before = this.#balances;
  }

  #failed(kind: FailureKind, words: string): void {
    this.violations += 1;
    failed(kind, `${this.#name}: ${words}`);
  }
}
