/** Carries out what a producer's step wants done, as `OutboxShard` does it. */
import {
  isDrained,
  type ProducerEffect,
  type ProducerEvent,
  type ProducerState,
} from "../../region/outbox/producer-step.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { BatchAnswer, CloseProducerAnswer } from "../../shared/protocol/player-state.ts";
import { applyItems, closeProducer } from "./core-outbox.ts";
import type { NodeModel } from "./node-model.ts";

const REDIS_MS_MAX = 4;
const RETRY_MS = 60;

export class OutboxModel {
  readonly state: ProducerState;
  readonly #node: NodeModel;
  /** Of a stream that was taken over: whose it was, if no other one of that node is left. */
  readonly #drainedNode: () => NodeId | undefined;
  readonly #busy = new Set<string>();
  /** Its incarnation has ended, and what was not applied of it is not appended under the next one yet. */
  isMoving = false;

  constructor(
    node: NodeModel,
    state: ProducerState,
    drainedNode = (): NodeId | undefined => undefined,
  ) {
    this.#node = node;
    this.state = state;
    this.#drainedNode = drainedNode;
  }

  /** Whether there is nothing to be done at the next beat. */
  get isIdle(): boolean {
    const { phase, takenOver } = this.state;
    return takenOver ? phase === "ended" : phase !== "closing" && isDrained(this.state);
  }

  step(event: ProducerEvent): void {
    const { world } = this.#node;
    for (const effect of world.parts.producerStep(this.state, event)) {
      if (this.#node.dead) return;
      this.#carryOut(effect);
    }
    const { phase, waiting, appending } = this.state;
    if (phase !== "closing" && waiting.size === 0 && !appending) this.isMoving = false;
  }

  #carryOut(effect: ProducerEffect): void {
    const { type } = effect;
    if (type === "open") this.#once(type, (done) => this.#open(effect, done));
    else if (type === "close") this.#once(type, (done) => this.#close(effect, done));
    else if (type === "append") this.#append(effect);
    else if (type === "send") this.#send(effect);
    else if (type === "trim") this.#trim(effect);
    else if (type === "forget") this.#forget(effect);
    else if (type === "saved") this.#node.players.saved(effect.marks);
    else if (type === "rewrite") this.#node.heardTerm(this.state.coreTerm);
  }

  #once(type: string, work: (done: () => void) => void): void {
    if (this.#busy.has(type)) return;
    this.#busy.add(type);
    work(() => this.#busy.delete(type));
  }

  #open({ by }: ProducerEffect & { type: "open" }, done: () => void): void {
    this.#toRedis(
      () => this.#node.redis.open(by),
      (opened) => {
        done();
        if (opened) this.step({ type: "opened", by });
      },
    );
  }

  #append({ by, entry }: ProducerEffect & { type: "append" }): void {
    const node = this.#node;
    const marks = entry.items.some((item) => "release" in item);
    if (marks && node.crashes("between release marker and append")) return;
    if (node.crashes("before append")) return;
    this.#toRedis(
      () => node.redis.append(by, entry) || !node.world.parts.rules.appendChecksSeq,
      (answered, held) => {
        if (node.crashes("after append, before its answer")) return;
        if (!answered) this.step({ type: "appendFailed", by });
        else if (held) this.step({ type: "appended", by, seq: entry.seq });
        else this.step({ type: "redisLost", by });
        node.crashes("after the append's answer");
      },
    );
  }

  #send({ by, batch }: ProducerEffect & { type: "send" }): void {
    const node = this.#node;
    if (node.crashes("before send")) return;
    const request = { producerId: by, ...batch, items: [...batch.items] };
    node.world.network.toCore<BatchAnswer>(
      node,
      (core, reply) =>
        applyItems(core, request, (answer) => {
          if (!node.crashes("after apply, before its answer")) reply(answer);
        }),
      (answer) => {
        // One that only asks is answered after a while, not at once.
        const delayMs = answer && batch.items.length > 0 ? 0 : RETRY_MS;
        node.after(delayMs, () => {
          if (answer) this.step({ type: "answered", by, answer });
          else this.step({ type: "sendFailed", by });
        });
      },
    );
  }

  #close({ by, drained }: ProducerEffect & { type: "close" }, done: () => void): void {
    const node = this.#node;
    const drainedNode = drained ? this.#drainedNode() : undefined;
    if (drained && node.crashes("before the close of a taken-over stream")) return;
    node.world.network.toCore<CloseProducerAnswer>(
      node,
      (core, reply) =>
        closeProducer(core, { producerId: by, ...(drainedNode && { drainedNode }) }, (answer) => {
          if (!node.crashes("after close, before its answer")) reply(answer);
        }),
      (answer) => {
        const delayMs = answer && answer.flushedSeq >= answer.lastSeq ? 0 : RETRY_MS;
        node.after(delayMs, () => {
          done();
          if (answer) this.step({ type: "closed", by, answer });
        });
      },
    );
  }

  #trim({ by, upTo }: ProducerEffect & { type: "trim" }): void {
    const node = this.#node;
    if (node.crashes("after the batch's answer, before trim")) return;
    this.#toRedis(
      () => node.redis.trim(by, upTo),
      () => node.crashes("after trim"),
    );
  }

  #forget({ by }: ProducerEffect & { type: "forget" }): void {
    const node = this.#node;
    // From now on some of what was in Redis is in this node's memory only.
    this.isMoving = true;
    if (node.crashes("between close and forget")) return;
    this.#toRedis(
      () => (this.state.takenOver ? node.redis.retire(by) : node.redis.forget(by)),
      () => node.crashes("after forget, before open"),
    );
  }

  /** @param answered false when it is not known whether Redis did it */
  #toRedis<Result>(
    work: () => Result,
    answered: (answered: boolean, result?: Result) => void = () => {},
  ): void {
    const node = this.#node;
    const { chance, schedule } = node.world;
    const { redis } = node;
    schedule.after(chance.below(REDIS_MS_MAX), () => {
      const life = redis.life;
      const reached = !redis.down && !(node.redisCut && chance.once(2));
      const result = reached ? work() : undefined;
      schedule.after(chance.below(REDIS_MS_MAX), () => {
        const known = reached && life === redis.life && !node.redisCut;
        if (known) node.run(() => answered(known, result));
        else node.after(RETRY_MS, () => answered(known, result));
      });
    });
  }
}
