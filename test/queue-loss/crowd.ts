/** Everybody who waits, and what became of each place. */
import { Pool } from "undici";
import { WaitingClient } from "./waiting-client.ts";

/** More than the polls that the core holds at a time: no poll may wait for the answer of another client's held one. */
const CONNECTIONS = 5_000;
const JOINING_AT_ONCE = 32;

export interface CrowdOptions {
  readonly url: string;
  readonly game: string;
  readonly random: () => number;
  readonly progress: (line: string) => void;
}

export class Crowd {
  readonly clients: WaitingClient[] = [];
  readonly lost: string[] = [];
  /** Numbers of those who were called, in the order of the calls. */
  readonly called: number[] = [];
  /** Clients that were told their place since `watch`. */
  readonly #heard = new Set<WaitingClient>();
  readonly #options: CrowdOptions;
  readonly #pool: Pool;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#pool = new Pool(options.url, { connections: CONNECTIONS });
  }

  /** So many more join and wait. */
  async join(count: number): Promise<void> {
    const { url, game, random, progress } = this.#options;
    const aim = this.clients.length + count;
    let toJoin = count;
    const work = async () => {
      while (toJoin > 0) {
        toJoin -= 1;
        const client = new WaitingClient(this.#pool, url, random, {
          placed: (one) => this.#heard.add(one),
          called: (one) => {
            this.called.push(numberOf(one));
            // Makes room for the next; a failure is a seat that lapses.
            void one.leave().catch(() => undefined);
          },
          lost: (_one, kind) => this.lost.push(kind),
        });
        await client.join(game);
        this.clients.push(client);
        if (this.clients.length % 1_000 === 0) progress(`${this.clients.length}/${aim} wait`);
      }
    };
    await Promise.all(Array.from({ length: JOINING_AT_ONCE }, work));
  }

  /** Forgets who has been heard of. */
  watch(): void {
    this.#heard.clear();
  }

  /** How many were told their place since. */
  get heard(): number {
    return this.#heard.size;
  }

  /** The clients' numbers, the first first. */
  numbers(): number[] {
    return this.clients.map(numberOf).sort((a, b) => a - b);
  }

  /** Everybody gives the place up. */
  async stop(): Promise<void> {
    for (const client of this.clients) client.stop();
    const leaving = [...this.clients];
    const work = async () => {
      for (let one = leaving.pop(); one; one = leaving.pop()) await one.leave();
    };
    await Promise.all(Array.from({ length: JOINING_AT_ONCE }, work));
    await this.#pool.destroy();
  }
}

export function numberOf({ place }: WaitingClient): number {
  return place?.number ?? 0;
}
