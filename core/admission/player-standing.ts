/**
 * What the core knows of a player that decides how they wait: in which class, or not at all because they play.
 *
 * A player is looked up only when there is no seat at once, many in one statement: on a launch night that is
 * nearly every join, and a statement each would take more of the core than all the rest of queueing.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { AdmissionClass } from "../../shared/protocol/queue.ts";
import type { Sql } from "../db/database.ts";
import { partsOf } from "../regions/registry-step.ts";
import { FAILOVER, NORMAL, RECONNECT } from "./classes.ts";

/** Who lost the connection comes first for so long, ms. */
export const RETURN_MS = 600_000;
const BATCH_MAX = 500;
/** Who is looked up is about to wait for longer; at 1,000 joins a second a statement has 20 of them. */
const GATHER_MS = 20;
/** Look-ups that wait at a time; past it joins are told to come back. */
const PENDING_MAX = 20_000;

export interface StandingRow {
  readonly id: PlayerId;
  readonly admission_class: AdmissionClass | null;
  readonly session_id: string | null;
  readonly node_id: NodeId | null;
  readonly placed_at: Date | null;
  readonly dropped_at: Date | null;
  /** Where the session was: it is over with its room, also that of a seat which nobody came for. */
  readonly room_ended: boolean;
}

/** `alive` and `lost` of the player's last node; `unknown` for one that nobody remembers. */
export type NodeFate = "alive" | "lost" | "unknown";

export type PlayerClass =
  /** On that node, whose seat a further join takes over. */
  | { readonly plays: true; readonly nodeId: NodeId }
  | {
      readonly plays: false;
      readonly class: AdmissionClass;
      /** The only region in which the player is of that class: where one who was dropped played. */
      readonly regionId?: RegionId;
    };

/**
 * Pure. Who was dropped comes first in the region of that time, as long as it is there: else a seat of an empty
 * region would be a way past the queue of any other.
 * @param regionIds where the player could wait
 */
export function classOf(
  row: StandingRow | undefined,
  fate: NodeFate,
  regionIds: readonly RegionId[],
  nowMs: number,
): PlayerClass {
  if (!row) return { plays: false, class: NORMAL };
  const { session_id: sessionId, node_id: nodeId, dropped_at: droppedAt } = row;
  const isOpen = sessionId !== null && !row.room_ended;
  if (isOpen && nodeId !== null && fate === "alive") return { plays: true, nodeId };
  if (sessionId !== null && fate === "lost") return { plays: false, class: FAILOVER };
  const others = { plays: false, class: row.admission_class ?? NORMAL } as const;
  if (droppedAt === null || nowMs - droppedAt.getTime() >= RETURN_MS) return others;
  if (nodeId === null || fate !== "alive") return { plays: false, class: RECONNECT };
  const regionId = partsOf(nodeId).region as RegionId;
  return regionIds.includes(regionId) ? { plays: false, class: RECONNECT, regionId } : others;
}

export interface PlayerStandingsDeps {
  readonly database: Sql;
  readonly clock: Clock;
}

interface Pending {
  readonly playerId: PlayerId;
  readonly resolve: (row: StandingRow | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class PlayerStandings {
  readonly #deps: PlayerStandingsDeps;
  #pending: Pending[] = [];
  #gathering = false;

  constructor(deps: PlayerStandingsDeps) {
    this.#deps = deps;
  }

  /**
   * @returns undefined of a player whom there is not
   * @throws {MeridianError} `unavailable`: the database, or too many are being looked up
   */
  find(playerId: PlayerId): Promise<StandingRow | undefined> {
    if (this.#pending.length >= PENDING_MAX) {
      const message = "Too many players are being looked up.";
      return Promise.reject(new MeridianError("unavailable", { message, retryAfterMs: 1_000 }));
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ playerId, resolve, reject });
      if (this.#gathering) return;
      this.#gathering = true;
      this.#deps.clock.after(GATHER_MS, () => {
        this.#gathering = false;
        // Failures are told to those who asked.
        void this.#lookUp();
      });
    });
  }

  async #lookUp(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    for (let at = 0; at < pending.length; at += BATCH_MAX) {
      const batch = pending.slice(at, at + BATCH_MAX);
      try {
        const ids = [...new Set(batch.map(({ playerId }) => playerId))];
        const rows = new Map(
          (await selectStandings(this.#deps.database, ids)).map((row) => [row.id, row]),
        );
        for (const { playerId, resolve } of batch) resolve(rows.get(playerId));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
  }
}

/** Counts from the player's next place on. @param name null for the class of everybody */
export async function setAdmissionClass(
  sql: Sql,
  playerId: PlayerId,
  name: AdmissionClass | null,
): Promise<void> {
  await sql.run("update players set admission_class = $2 where id = $1", [playerId, name]);
}

async function selectStandings(sql: Sql, playerIds: readonly PlayerId[]): Promise<StandingRow[]> {
  return await sql.rows<StandingRow>(
    `select p.id, p.admission_class, s.session_id, s.node_id, s.placed_at, s.dropped_at,
       (r.ended_at is not null and r.released_at is null) as room_ended
     from players p
     left join sessions s on s.player_id = p.id
     left join rooms r on r.room_id = s.room_id
     where p.id = any($1::uuid[])`,
    [playerIds],
  );
}
