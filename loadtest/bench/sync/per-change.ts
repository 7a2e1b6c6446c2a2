/** What a game would do without write-behind: one statement for each change, over eight connections. */
import pg from "pg";
import { systemClock } from "../../../shared/clock.ts";
import type { PlayerId } from "../../../shared/ids.ts";
import { COLLECTIONS, HOT_PLAYERS, type RunQuestion } from "./region-process.ts";

const CONNECTIONS = 8;

export class PerChange {
  readonly #clients: readonly pg.Client[];
  readonly #playerIds: readonly PlayerId[];
  #keyed = 0;

  private constructor(clients: readonly pg.Client[], playerIds: readonly PlayerId[]) {
    this.#clients = clients;
    this.#playerIds = playerIds;
  }

  static async start(url: string, playerIds: readonly PlayerId[]): Promise<PerChange> {
    const clients = Array.from({ length: CONNECTIONS }, () => {
      return new pg.Client({ connectionString: url, options: "-c search_path=meridian" });
    });
    await Promise.all(clients.map((client) => client.connect()));
    return new PerChange(clients, playerIds);
  }

  /** @returns changes a second, each durable before its connection makes the next */
  async run(keys: RunQuestion["keys"], ms: number): Promise<number> {
    const beganMs = systemClock.monotonicMs();
    let changes = 0;
    await Promise.all(
      this.#clients.map(async (client) => {
        while (systemClock.monotonicMs() - beganMs < ms) {
          await client.query({ name: "change", text: CHANGE, values: this.#next(keys) });
          changes += 1;
        }
      }),
    );
    return (changes * 1_000) / (systemClock.monotonicMs() - beganMs);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
  }

  #next(keys: RunQuestion["keys"]): unknown[] {
    this.#keyed += 1;
    const players = keys === "hot" ? HOT_PLAYERS : this.#playerIds.length;
    const round = Math.floor(this.#keyed / players);
    const collection = `stats${keys === "hot" ? 0 : round % COLLECTIONS}`;
    const fields = { kills: this.#keyed, place: "north gate", at: 1_000_000 + this.#keyed };
    return [this.#playerIds[this.#keyed % players], collection, JSON.stringify(fields)];
  }
}

const CHANGE = `update player_documents set fields = fields || $3::jsonb, version = version + 1
  where player_id = $1 and collection = $2`;
