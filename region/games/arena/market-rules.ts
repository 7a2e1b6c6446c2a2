/**
 * The rules of the market: who stands in a bank may offer an item for coins to somebody in the same bank.
 * A newer offer takes the place of one's former one; whether both sides have what they give, the core says.
 */
import { BANKS, isWithin } from "./arena-map.ts";
import { type ArenaPlayer, type ArenaState, Offer } from "./arena-state.ts";

export interface OfferTerms {
  /** The session of whom it is made to. */
  readonly to: string;
  readonly itemId: string;
  readonly price: number;
}

/** @returns whether it stands */
export function offer(state: ArenaState, from: string, terms: OfferTerms, id: string): boolean {
  if (from === terms.to || !inOneBank(state, from, terms.to)) return false;
  state.offers.set(from, new Offer({ id, ...terms }));
  return true;
}

/** The offer that was made to that player, which is no more from now on. */
export function takeOffer(state: ArenaState, from: string, to: string): Offer | undefined {
  const made = state.offers.get(from);
  if (made?.to !== to || !inOneBank(state, from, to)) return undefined;
  state.offers.delete(from);
  return made;
}

/** It was traded, here or in what this room has forgotten. */
export function endOffer(state: ArenaState, id: string): void {
  for (const [from, made] of state.offers.entries()) {
    if (made.id === id) state.offers.delete(from);
  }
}

/** Who walks away, or is away, takes their offer back, or refuses it. */
export function endOffers(state: ArenaState): void {
  for (const [from, { to }] of state.offers.entries()) {
    if (!inOneBank(state, from, to)) state.offers.delete(from);
  }
}

function inOneBank(state: ArenaState, one: string, other: string): boolean {
  const players = [state.players.get(one), state.players.get(other)];
  return BANKS.some((bank) => players.every((player) => player && isIn(player, bank)));
}

function isIn(player: ArenaPlayer, bank: (typeof BANKS)[number]): boolean {
  return player.connected && isWithin(player, bank, bank.radius);
}
