/** A player, and the client: joins, plays, leaves, moves, drops, logs in a second time. */
import type { LoadingSession } from "../../region/players/hand-off-step.ts";
import type { Epoch } from "../../shared/epoch.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import type { NodeModel } from "./node-model.ts";
import type { World } from "./world.ts";

const ACT_MS_MAX = 200;
const ARRIVE_MS_MAX = 60;
const LATE_MS_MAX = 900;
const GRACE_MS_MAX = 1_200;

interface Place {
  readonly nodeId: NodeId;
  readonly sessionEpoch: Epoch;
}

export class PlayerModel {
  readonly id: PlayerId;
  readonly #world: World;
  #place: Place | undefined;
  #loads = 0;
  /** Sessions that were admitted; for the check at the end that everybody can still play. */
  admissions = 0;

  constructor(world: World, id: PlayerId) {
    this.#world = world;
    this.id = id;
    this.#later(() => this.#act());
  }

  admitted(node: NodeModel, { sessionEpoch }: LoadingSession): void {
    this.admissions += 1;
    const place = this.#place;
    if (place?.nodeId === node.id && String(place.sessionEpoch) === String(sessionEpoch)) return;
    // The player is elsewhere by now, which the node finds out when the connection falls silent.
    this.#leaveLater({ nodeId: node.id, sessionEpoch });
  }

  refused(node: NodeModel, { sessionEpoch }: LoadingSession): void {
    const place = this.#place;
    const isHere = place?.nodeId === node.id && String(place.sessionEpoch) === String(sessionEpoch);
    if (isHere) this.#place = undefined;
  }

  /** To any node that lives; where the player was is left without a word, or with one. */
  join(): void {
    const { chance, core, living } = this.#world;
    const former = this.#place;
    this.#place = undefined;
    if (former) this.#depart(former);
    if (core.down || living.length === 0) return;
    const node = chance.of(living);
    core.place(this.id, (sessionEpoch) => {
      this.#place = { nodeId: node.id, sessionEpoch };
      this.#loads += 1;
      const session = { sessionEpoch, loadId: `${this.id}-load-${this.#loads}` };
      const arriveMs = chance.once(8) ? chance.below(LATE_MS_MAX) : chance.below(ARRIVE_MS_MAX);
      node.after(arriveMs, () => node.players.entered(this.id, session));
    });
  }

  #act(): void {
    const { chance, calm, nodes } = this.#world;
    if (calm) return;
    this.#later(() => this.#act());
    const node = this.#place && nodes.get(this.#place.nodeId);
    if (!this.#place || !node || node.dead) {
      if (chance.once(2)) this.join();
      return;
    }
    const whim = chance.below(14);
    if (whim === 0) this.join();
    else if (whim === 1) {
      this.#depart(this.#place);
      this.#place = undefined;
    } else {
      for (let changes = 1 + chance.below(3); changes > 0; changes -= 1) {
        node.run(() => node.players.change(this.id));
      }
    }
  }

  /** Says so, or just is gone. */
  #depart(place: Place): void {
    const { chance, nodes } = this.#world;
    if (chance.once(2)) this.#leaveLater(place);
    else {
      const node = nodes.get(place.nodeId);
      node?.run(() => node.players.left(this.id, place.sessionEpoch));
    }
  }

  #leaveLater({ nodeId, sessionEpoch }: Place): void {
    const { chance, nodes } = this.#world;
    const node = nodes.get(nodeId);
    node?.after(chance.below(GRACE_MS_MAX), () => {
      if (chance.once(2)) node.players.change(this.id);
      node.players.left(this.id, sessionEpoch);
    });
  }

  #later(work: () => void): void {
    this.#world.schedule.after(1 + this.#world.chance.below(ACT_MS_MAX), work);
  }
}
