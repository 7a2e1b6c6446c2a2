/** Concurrent players, each of whom joins as somebody new, leaves, and joins again. */
import { systemClock } from "../../../shared/clock.ts";
import type { LeanSocket } from "../lean-socket.ts";
import { type EntryEvents, RoomEntry, sayLeave } from "../room-entry.ts";
import type { JoinTarget } from "./join-target.ts";
import { KeptConnection } from "./kept-connection.ts";

/** A join that takes longer fails the benchmark. */
const JOIN_DEADLINE_MS = 10_000;

interface Stay {
  entered(): void;
  closed(reason: string): void;
}

export class Crowd {
  readonly #target: JoinTarget;
  readonly #connections: readonly KeptConnection[];
  readonly #stays = new Map<LeanSocket, Stay>();
  readonly #entry: RoomEntry;

  constructor(target: JoinTarget, players: number) {
    this.#target = target;
    const events: EntryEvents = {
      entered: (socket) => this.#stays.get(socket)?.entered(),
      closed: (socket, reason) => {
        this.#stays.get(socket)?.closed(reason);
        this.#stays.delete(socket);
      },
    };
    this.#entry = new RoomEntry(events, target);
    this.#connections = Array.from(
      { length: players },
      (_, index) => new KeptConnection(target.url, addressOf(index)),
    );
  }

  /**
   * Joins for so long, or until the signal.
   * @returns how long each join took, from the first call to the whole state, ms
   */
  async run(durationMs: number, signal: AbortSignal): Promise<number[]> {
    const tookMs: number[] = [];
    const endMs = systemClock.monotonicMs() + durationMs;
    const play = async (http: KeptConnection) => {
      while (systemClock.monotonicMs() < endMs && !signal.aborted) {
        tookMs.push(await this.#joinAndLeave(http));
      }
    };
    await Promise.all(this.#connections.map(play));
    signal.throwIfAborted();
    return tookMs;
  }

  async stop(): Promise<void> {
    for (const socket of this.#stays.keys()) socket.destroy();
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  /** @returns how long the join took, ms */
  async #joinAndLeave(http: KeptConnection): Promise<number> {
    const beganMs = systemClock.monotonicMs();
    const socket = this.#entry.open(await this.#target.takeSeat(http));
    let tookMs: number | undefined;
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string) => reject(new Error(`${this.#target.name}: ${reason}`));
      const cancelDeadline = systemClock.after(JOIN_DEADLINE_MS, () =>
        fail("a join took too long"),
      );
      this.#stays.set(socket, {
        entered() {
          tookMs = systemClock.monotonicMs() - beganMs;
          sayLeave(socket);
        },
        closed(reason) {
          cancelDeadline();
          if (tookMs === undefined) fail(`no state came: ${reason}`);
          else resolve();
        },
      });
    });
    return tookMs ?? Number.NaN;
  }
}

/** In a network of its own, so that limits by network hold. Only Linux has all of 127.0.0.0/8. */
function addressOf(index: number): string | undefined {
  return process.platform === "linux" ? `127.66.${index % 256}.1` : undefined;
}
