/** A world on virtual time: a core, two regions with two nodes each, players who come and go, rooms that pay. */
import { Chance } from "../../shared/chance.testkit.ts";
import type { NodeId, PlayerId, RoomId } from "../../shared/ids.ts";
import { CoreModel } from "./core-model.ts";
import { type CoreCrashPoint, CrashPlan, type PlannedCrash } from "./crash-points.ts";
import { Network, type Weather } from "./network.ts";
import { NodeModel } from "./node-model.ts";
import type { Parts } from "./parts.ts";
import { PlayerModel } from "./player-model.ts";
import { RedisModel } from "./redis-model.ts";
import { RoomModel } from "./room-model.ts";
import { Schedule } from "./schedule.ts";
import { Truth } from "./truth.ts";

export const REGIONS: readonly string[] = ["a", "b"];
const SLOTS_PER_REGION = 2;
const PLAYERS = 4;
const ROOMS = 2;
const RESTART_MS = 400;
const CORE_RESTART_MS = 300;

export interface WorldOptions {
  readonly seed: number;
  readonly parts: Parts;
  readonly weather: Weather;
  readonly crashes: readonly PlannedCrash[];
  readonly say?: ((line: string) => void) | undefined;
}

export class World {
  readonly schedule = new Schedule();
  readonly chance: Chance;
  readonly parts: Parts;
  readonly truth = new Truth();
  readonly network: Network;
  readonly core: CoreModel;
  readonly crashPlan: CrashPlan;
  readonly redises: readonly RedisModel[] = REGIONS.map(() => new RedisModel());
  /** Of all lives, the dead ones too. */
  readonly nodes = new Map<NodeId, NodeModel>();
  readonly players = new Map<PlayerId, PlayerModel>();
  readonly rooms: readonly RoomModel[];
  /** Players and rooms do nothing new any more. */
  calm = false;
  readonly #say: ((line: string) => void) | undefined;
  #incarnation = 0;

  constructor({ seed, parts, weather, crashes, say }: WorldOptions) {
    this.chance = new Chance(seed);
    this.parts = parts;
    this.#say = say;
    this.crashPlan = new CrashPlan(crashes);
    this.network = new Network(this, weather);
    this.core = new CoreModel(this);
    for (const region of REGIONS.keys()) {
      for (let slot = 0; slot < SLOTS_PER_REGION; slot += 1) this.startNode(region);
    }
    for (let number = 1; number <= PLAYERS; number += 1) {
      const id = `p${number}` as PlayerId;
      this.players.set(id, new PlayerModel(this, id));
    }
    this.rooms = Array.from({ length: ROOMS }, (_, number) => {
      return new RoomModel(this, `room${number}` as RoomId);
    });
  }

  /** The text is made only when somebody reads it. */
  say(line: () => string): void {
    this.#say?.(`${String(this.schedule.nowMs).padStart(6)}  ${line()}`);
  }

  /** Nodes that live and take players, those that stand still too. */
  get living(): NodeModel[] {
    return [...this.nodes.values()].filter(({ dead, retired }) => !dead && !retired);
  }

  startNode(region: number): void {
    this.#incarnation += 1;
    const regionId = REGIONS[region] as string;
    const id = `${regionId}-${this.#incarnation}` as NodeId;
    this.nodes.set(id, new NodeModel(this, id, regionId, this.redises[region] as RedisModel));
    this.say(() => `${id} starts`);
  }

  nodeDied(node: NodeModel): void {
    this.#replace(node);
  }

  nodeRetired(node: NodeModel): void {
    this.#replace(node);
  }

  coreCrashes(point: CoreCrashPoint): boolean {
    const strikes = this.crashPlan.strikes(point);
    if (strikes) this.crashCore(() => {});
    return strikes;
  }

  /** @param changeDatabase what becomes of the database before the next life serves */
  crashCore(changeDatabase: () => void, forMs = CORE_RESTART_MS): void {
    const { core } = this;
    if (core.down) return;
    this.say(() => "core crashes");
    core.crash();
    this.schedule.after(forMs, () => {
      changeDatabase();
      core.restart();
      this.say(() => `core serves, term ${core.term}`);
      this.truth.checkValue(core.database);
    });
  }

  fence(node: NodeModel): void {
    if (!this.core.down) this.core.fence(node.id);
  }

  #replace(node: NodeModel): void {
    const region = REGIONS.indexOf(node.regionId);
    this.schedule.after(RESTART_MS, () => this.startNode(region));
  }
}
