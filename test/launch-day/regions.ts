/** The regions of the simulated day: seats by their numbers, and who sits where. */
import type { SeatReport } from "../../core/admission/region-queue.ts";
import type { RegionId } from "../../shared/ids.ts";

/** Of all players, by region. */
const SHARES: readonly (readonly [string, number])[] = [
  ["ashburn", 0.28],
  ["frankfurt", 0.22],
  ["tokyo", 0.18],
  ["sao-paulo", 0.13],
  ["singapore", 0.11],
  ["sydney", 0.08],
];
const HEADROOM = 0.06;
/** Of all seats that are not headroom: as many are active in the world at most. */
const WORLD_SHARE = 0.99;
const NOBODY = -1;

export class LaunchRegion {
  readonly id: RegionId;
  readonly share: number;
  readonly capacity: number;
  readonly headroom: number;
  /** By seat: who has it. */
  readonly seats: Int32Array;
  readonly #free: number[];
  isLost = false;

  constructor(name: string, share: number, capacity: number) {
    this.id = name as RegionId;
    this.share = share;
    this.capacity = capacity;
    this.headroom = Math.ceil(capacity * HEADROOM);
    this.seats = new Int32Array(capacity).fill(NOBODY);
    this.#free = Array.from({ length: capacity }, (_, seat) => seat);
  }

  get taken(): number {
    return this.capacity - this.#free.length;
  }

  report(): SeatReport {
    const all = this.#free.length;
    return { all, limited: all - this.headroom, limit: this.capacity - this.headroom };
  }

  /** @returns the seat; undefined when there is none */
  grant(client: number): number | undefined {
    if (this.isLost) return undefined;
    const seat = this.#free.pop();
    if (seat !== undefined) this.seats[seat] = client;
    return seat;
  }

  free(seat: number): void {
    this.seats[seat] = NOBODY;
    this.#free.push(seat);
  }

  /** All who play there lose their seats. */
  lose(): number[] {
    this.isLost = true;
    const players: number[] = [];
    for (const [seat, client] of this.seats.entries()) {
      if (client === NOBODY) continue;
      players.push(client);
      this.free(seat);
    }
    return players;
  }
}

export function launchRegions(seats: number): LaunchRegion[] {
  return SHARES.map(
    ([name, share]) => new LaunchRegion(name, share, Math.max(12, Math.round(seats * share))),
  );
}

/** How many may be active in the world at once. */
export function worldMaxOf(regions: readonly LaunchRegion[]): number {
  const seats = regions.reduce((sum, { capacity, headroom }) => sum + capacity - headroom, 0);
  return Math.floor(seats * WORLD_SHARE);
}
