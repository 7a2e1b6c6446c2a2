/** How full regions are over time: whether one ever had more players than seats, and how evenly they fill. */
import type { Regions } from "./regions.ts";

const SAMPLE_S = 600;

export class Fullness {
  readonly #regions: Regions;
  /** Regions that had more players than seats. */
  readonly overCapacity = new Set<string>();
  /** Of the fullest region at any time. */
  max = 0;
  /** The fullest region against the whole world, once each ten minutes. */
  readonly imbalances: number[] = [];

  constructor(regions: Regions) {
    this.#regions = regions;
  }

  reset(): void {
    this.overCapacity.clear();
    this.max = 0;
    this.imbalances.length = 0;
  }

  entered(region: number): void {
    const spec = this.#regions.specs[region];
    if (!spec) return;
    const share = (this.#regions.online[region] ?? 0) / spec.capacity;
    if (share > this.max) this.max = share;
    if (share > 1) this.overCapacity.add(spec.id);
  }

  sample(nowS: number): void {
    if (nowS % SAMPLE_S !== 0) return;
    const { specs, online, health } = this.#regions;
    let players = 0;
    let seats = 0;
    let fullest = 0;
    for (const [region, { capacity }] of specs.entries()) {
      if (health[region] === "lost") continue;
      const here = online[region] ?? 0;
      players += here;
      seats += capacity;
      fullest = Math.max(fullest, here / capacity);
    }
    if (players > 0) this.imbalances.push(fullest / (players / seats));
  }
}
