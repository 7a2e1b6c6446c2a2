/**
 * Calls between nodes and the core: late, lost, doubled, overtaken, cut. A copy of a request may reach the
 * core long after its answer was given up.
 */
import type { NodeId } from "../../shared/ids.ts";
import type { CoreModel } from "./core-model.ts";
import type { NodeModel } from "./node-model.ts";
import type { World } from "./world.ts";

const DEADLINE_MS = 800;
const DELAY_MS_MAX = 12;

/** Once in so many calls; 0 for never. */
export interface Weather {
  readonly losesOnceIn: number;
  readonly doublesOnceIn: number;
  readonly delaysOnceIn: number;
  readonly delayMs: number;
}

export class Network {
  readonly #world: World;
  weather: Weather;
  readonly cut = new Set<NodeId>();

  constructor(world: World, weather: Weather) {
    this.#world = world;
    this.weather = weather;
  }

  /** @param answered undefined when there is none within the deadline */
  toCore<Answer>(
    node: NodeModel,
    call: (core: CoreModel, reply: (answer: Answer) => void) => void,
    answered: (answer: Answer | undefined) => void,
  ): void {
    const { schedule } = this.#world;
    let settled = false;
    const settle = (answer: Answer | undefined) => {
      if (settled) return;
      settled = true;
      answered(answer);
    };
    const reply = (answer: Answer) => {
      this.#travel(node.id, () => node.run(() => settle(answer)));
    };
    this.#travel(node.id, () => this.#arrive(call, reply));
    if (this.#happens(this.weather.doublesOnceIn)) {
      const laterMs = this.#world.chance.of([0, 0, this.weather.delayMs]);
      this.#travel(node.id, () => this.#arrive(call, () => {}), laterMs);
    }
    schedule.after(DEADLINE_MS, () => {
      if (!settled) node.run(() => settle(undefined));
    });
  }

  fromCore(nodeId: NodeId, told: (node: NodeModel) => void): void {
    const node = this.#world.nodes.get(nodeId);
    if (node) this.#travel(nodeId, () => node.run(() => told(node)));
  }

  #arrive<Answer>(
    call: (core: CoreModel, reply: (answer: Answer) => void) => void,
    reply: (answer: Answer) => void,
  ): void {
    const { core } = this.#world;
    if (!core.down) call(core, reply);
  }

  #travel(nodeId: NodeId, arrived: () => void, moreMs = 0): void {
    const { chance, schedule } = this.#world;
    const { losesOnceIn, delaysOnceIn, delayMs } = this.weather;
    if (this.cut.has(nodeId) || this.#happens(losesOnceIn)) return;
    const late = this.#happens(delaysOnceIn) ? chance.below(delayMs) : 0;
    schedule.after(1 + chance.below(DELAY_MS_MAX) + late + moreMs, arrived);
  }

  #happens(onceIn: number): boolean {
    return onceIn > 0 && this.#world.chance.once(onceIn);
  }
}
