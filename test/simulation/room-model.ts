/**
 * A room that pays its players: it is claimed by a node, asks for operations until their outcome is known,
 * and goes on at another node when that one is lost, from a moment before, with the same causes again.
 */
import type { Epoch } from "../../shared/epoch.ts";
import type { PlayerId, RoomId } from "../../shared/ids.ts";
import type { OpId, ValueChange, ValueRequest } from "../../shared/protocol/value.ts";
import { applyValue, claimRoom, type ValueReply } from "./core-value.ts";
import type { NodeModel } from "./node-model.ts";
import type { World } from "./world.ts";

const PERIOD_MS = 250;
const RETRY_MS = 150;
const FORGOTTEN_CAUSES_MAX = 3;

interface Host {
  readonly node: NodeModel;
  readonly epoch: Epoch;
}

export class RoomModel {
  readonly id: RoomId;
  readonly #world: World;
  #host: Host | undefined;
  /** Of the newest operation that some host has asked for. */
  #cause = 0;
  /** Operations without an outcome, by their cause, with the node that asks. */
  readonly #underWay = new Map<number, NodeModel>();

  constructor(world: World, id: RoomId) {
    this.#world = world;
    this.id = id;
    this.#later(() => this.#act());
  }

  get isAtRest(): boolean {
    return [...this.#underWay.values()].every((node) => node.dead);
  }

  #act(): void {
    const { calm, chance, living } = this.#world;
    if (calm) return;
    this.#later(() => this.#act());
    const host = this.#host;
    if ((!host || host.node.dead || host.node.retired || chance.once(20)) && living.length > 0) {
      this.#claim(chance.of(living));
    }
    if (!host || host.node.dead) return;
    this.#cause += 1;
    this.#ask(host, this.#cause);
  }

  #claim(node: NodeModel): void {
    this.#world.network.toCore<Epoch | undefined>(
      node,
      (core, reply) => claimRoom(core, this.id, node.id, reply),
      (epoch) => {
        if (!epoch) return;
        const former = this.#host;
        this.#host = { node, epoch };
        if (former?.node === node) return;
        // Restored to a moment before: what was asked for since is asked for again.
        const again = 1 + this.#world.chance.below(FORGOTTEN_CAUSES_MAX);
        for (let cause = Math.max(1, this.#cause - again); cause <= this.#cause; cause += 1) {
          this.#ask({ node, epoch }, cause);
        }
      },
    );
  }

  #ask({ node, epoch }: Host, cause: number, attempt = 0): void {
    if (node.crashes("before a value operation")) return;
    const { rules } = this.#world.parts;
    const id = `${this.id}/${cause}${rules.valueKeepsId || attempt === 0 ? "" : `~${attempt}`}`;
    const op = { id: id as OpId, changes: changesOf(this.id, cause) };
    const request: ValueRequest = { nodeId: node.id, roomId: this.id, roomEpoch: epoch, op };
    this.#underWay.set(cause, node);
    this.#world.network.toCore<ValueReply>(
      node,
      (core, reply) =>
        applyValue(core, request, (answer) => {
          if (!node.crashes("after a value operation, before its answer")) reply(answer);
        }),
      (answer) => {
        if (answer) this.#underWay.delete(cause);
        this.#world.say(() => `${node.id} ${id}: ${answer?.outcome ?? "unknown"}`);
        if (answer?.outcome === "fenced" && this.#host?.node === node) this.#host = undefined;
        if (!answer) node.after(RETRY_MS, () => this.#ask({ node, epoch }, cause, attempt + 1));
      },
    );
  }

  #later(work: () => void): void {
    this.#world.schedule.after(1 + this.#world.chance.below(PERIOD_MS), work);
  }
}

/** The same for the same cause, wherever the room runs. */
function changesOf(roomId: RoomId, cause: number): ValueChange[] {
  const [payer, payee] = [`p${1 + (cause % 4)}`, `p${1 + ((cause * 3 + 1) % 4)}`] as [
    PlayerId,
    PlayerId,
  ];
  const currency = "coin";
  const itemId = `${roomId}-item-${cause - (cause % 5)}`;
  switch (cause % 5) {
    case 0:
      return [
        { kind: "credit", playerId: payee, currency, amount: 5 + (cause % 7) },
        { kind: "grantItem", itemId, itemKind: "sword", playerId: payee },
      ];
    case 1:
      return [{ kind: "pay", from: payer, to: payee, currency, amount: 3 }];
    case 2:
      return [{ kind: "debit", playerId: payer, currency, amount: 2 }];
    case 3:
      return [{ kind: "giveItem", itemId, from: payer, to: payee }];
    default:
      return [{ kind: "credit", playerId: payer, currency, amount: 4 }];
  }
}
