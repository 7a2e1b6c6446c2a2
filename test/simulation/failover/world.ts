/** A world on virtual time: a core, three regions, rooms that go on elsewhere when their node is lost. */
import { Chance } from "../../../shared/chance.testkit.ts";
import type { NodeId, PlayerId, RegionId, RoomId } from "../../../shared/ids.ts";
import { Schedule } from "../schedule.ts";
import { CoreModel } from "./core.ts";
import { type End, Links } from "./links.ts";
import { NodeModel } from "./node.ts";
import type { Parts } from "./parts.ts";
import { PlayerModel } from "./player.ts";
import { Truth } from "./truth.ts";

const REGIONS = ["a", "b", "c"] as RegionId[];
const ROOMS = 3;
const PLAYERS_PER_ROOM = 2;
const RESTART_MS_MAX = 3_000;
const SKEW_MS_MAX = 5_000;

export interface WorldOptions {
  readonly seed: number;
  readonly parts: Parts;
  /** Nothing but noise and short pauses happens. */
  readonly onlyNoise: boolean;
  readonly say?: ((line: string) => void) | undefined;
}

export class World {
  readonly schedule = new Schedule();
  readonly chance: Chance;
  readonly parts: Parts;
  readonly truth: Truth;
  readonly links: Links;
  readonly core: CoreModel;
  /** Of all lives, the dead ones too. */
  readonly nodes = new Map<NodeId, NodeModel>();
  readonly players: PlayerModel[] = [];
  readonly onlyNoise: boolean;
  /** Since when there is no noise. */
  quietSinceMs = 0;
  /** What happens, once, to the next node that goes on with a room. */
  onTakeOver: ((node: NodeModel) => void) | undefined;
  /** Nothing new is begun. */
  calm = false;
  /** Whatever repeats itself comes to its end. */
  over = false;
  readonly #say: ((line: string) => void) | undefined;
  #numbers = 0;
  readonly #incarnations = new Map<RegionId, number>();

  constructor({ seed, parts, onlyNoise, say }: WorldOptions) {
    this.chance = new Chance(seed);
    this.parts = parts;
    this.onlyNoise = onlyNoise;
    this.#say = say;
    this.truth = new Truth(this);
    this.links = new Links(this);
    const regionIds = this.chance.once(6) ? REGIONS.slice(0, 2) : REGIONS;
    this.core = new CoreModel(this, regionIds);
    for (const regionId of regionIds) {
      const slots = 1 + this.chance.below(2);
      for (let slot = 0; slot < slots; slot += 1) this.#start(regionId, slot);
    }
    for (let room = 1; room <= ROOMS; room += 1) {
      for (let number = 1; number <= PLAYERS_PER_ROOM; number += 1) {
        const id = `p${room}${number}` as PlayerId;
        this.players.push(new PlayerModel(this, id, `room${room}` as RoomId));
      }
    }
  }

  /** The text is made only when somebody reads it. */
  say(line: () => string): void {
    this.#say?.(`${String(this.schedule.nowMs).padStart(6)}  ${line()}`);
  }

  nextNumber(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  get living(): NodeModel[] {
    return [...this.nodes.values()].filter(({ dead, fenced }) => !dead && !fenced);
  }

  get isQuiet(): boolean {
    return this.schedule.nowMs - this.quietSinceMs >= 5_000;
  }

  /** Some node has died or begun. */
  changedWithin(ms: number): boolean {
    const sinceMs = this.schedule.nowMs - ms;
    return [...this.nodes.values()].some(
      ({ bornMs, endedMs }) => bornMs >= sinceMs || endedMs >= sinceMs,
    );
  }

  node(id: NodeId): NodeModel {
    const node = this.nodes.get(id);
    if (!node) throw new Error(`no node ${id}`);
    return node;
  }

  regionOf(end: End): string {
    return end === "core" ? "a" : this.node(end).regionId;
  }

  /** Has an end do something, now, when it moves again, or never. */
  runner(end: End): (work: () => void) => void {
    if (end === "core") return (work) => this.core.run(work);
    const node = this.node(end);
    return (work) => node.run(work);
  }

  /** Another life begins where one has ended; not where the machine is gone in the first region. */
  replace({ regionId, slot, vanished }: NodeModel): void {
    if (vanished && regionId === REGIONS[0]) return;
    this.schedule.after(200 + this.chance.below(RESTART_MS_MAX), () => this.#start(regionId, slot));
  }

  #start(regionId: RegionId, slot: number): void {
    const incarnation = (this.#incarnations.get(regionId) ?? 0) + 1;
    this.#incarnations.set(regionId, incarnation);
    const id = `${regionId}-${incarnation}` as NodeId;
    const skewMs = this.chance.below(2 * SKEW_MS_MAX + 1) - SKEW_MS_MAX;
    this.nodes.set(id, new NodeModel(this, { id, regionId, slot, skewMs }));
    this.say(() => `${id} starts, its clock ${skewMs} ms off`);
  }
}
