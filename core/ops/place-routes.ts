/** `/ops/rooms` and `/ops/players` on the private port: which rooms run where, and where a player is. */
import type { HttpServer } from "../../shared/http-server.ts";
import {
  LISTED_MAX,
  PlayersAnswer,
  PlayersQuery,
  RoomsAnswer,
  RoomsQuery,
} from "../../shared/protocol/ops-failover.ts";
import type { Sql } from "../db/database.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { Operators } from "./operators.ts";
import { selectPlaces, selectRooms } from "./place-store.ts";

export interface PlaceRouteDeps {
  readonly operators: Operators;
  readonly database: Sql;
}

const refusals = failures("unauthorized", "forbidden");

export function addPlaceRoutes(server: HttpServer, { operators, database }: PlaceRouteDeps): void {
  server.get(
    "/ops/rooms",
    { schema: { querystring: RoomsQuery, response: { 200: RoomsAnswer, ...refusals } } },
    async (request) => {
      await operators.authorise(bearerOf(request.headers.authorization), "rooms", "viewer");
      const rows = await selectRooms(database, request.query, LISTED_MAX + 1);
      const rooms = rows.slice(0, LISTED_MAX).map((row) => ({
        roomId: row.room_id,
        game: row.game,
        regionId: row.region_id,
        nodeId: row.node_id,
        roomEpoch: [row.epoch_term, row.epoch_n] as [number, number],
        players: row.players,
        since: row.claimed_at.toISOString(),
      }));
      const last = rooms.at(-1)?.roomId ?? null;
      return { rooms, next: rows.length > LISTED_MAX ? last : null };
    },
  );
  server.get(
    "/ops/players",
    { schema: { querystring: PlayersQuery, response: { 200: PlayersAnswer, ...refusals } } },
    async (request) => {
      await operators.authorise(bearerOf(request.headers.authorization), "players", "viewer");
      const rows = await selectPlaces(database, request.query, LISTED_MAX + 1);
      const players = rows.slice(0, LISTED_MAX).map((row) => ({
        playerId: row.player_id,
        name: row.name,
        sessionId: row.session_id,
        game: row.game,
        regionId: row.region_id,
        nodeId: row.node_id,
        roomId: row.room_id,
        roomAt: row.room_at,
        since: row.placed_at?.toISOString() ?? null,
      }));
      return { players, more: rows.length > LISTED_MAX };
    },
  );
}
