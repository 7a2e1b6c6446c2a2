/** What the rest of a node does when something happens to a room. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { Claims } from "../link/claims.ts";
import type { Heartbeats } from "../link/heartbeat.ts";
import type { EvictedSessions } from "../matchmaking/evicted-sessions.ts";
import type { SeatLedger } from "../matchmaking/seat-ledger.ts";
import type { CopyStore } from "../replication/copy-store.ts";
import type { Replication } from "../replication/replication.ts";
import { GameRoom } from "../rooms/game-room.ts";
import type { RoomEvents, Rooms } from "./colyseus.ts";
import { NodeMetrics } from "./node-metrics.ts";
import { RefusalLog } from "./refusal-log.ts";
import { RoomEpochs } from "./room-epochs.ts";
import { StepTimes } from "./step-times.ts";

export interface RoomEventsDeps {
  readonly claims: Claims;
  /** Made after these: they are told to it. */
  readonly rooms: () => Rooms;
  readonly ledger: SeatLedger;
  readonly evicted: Pick<EvictedSessions, "kindOf">;
  readonly heartbeats: Pick<Heartbeats, "endedRooms" | "leftSessions">;
  readonly replication: Pick<Replication, "started" | "ended">;
  readonly store: Pick<CopyStore, "forgetRoom">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function createRoomEvents(deps: RoomEventsDeps): RoomEvents {
  const { claims, rooms, ledger, evicted, heartbeats, replication, store } = deps;
  const { clock, log, metrics } = deps;
  const epochs = new RoomEpochs({
    claims,
    endRoom: (room) => rooms().end(room),
    onGranted(room, roomId, game) {
      // Copies of its former owners are worth nothing from now on.
      store.forgetRoom(roomId);
      if (room instanceof GameRoom) replication.started(room, roomId, game);
    },
    times: new StepTimes({
      name: "meridian_region_room_resume_seconds",
      help: "Of rooms that were restored here, until they play on: claim, documents of their players; side by side.",
      clock,
      metrics,
    }),
    log,
  });
  const { roomFailures, invalidMessages } = new NodeMetrics(metrics, {
    seats: () => ledger.counts(clock.monotonicMs()),
    rooms: () => rooms().count,
  });
  const refusals = new RefusalLog(log);
  return {
    created(room, roomId, game) {
      // Its failures are handled inside.
      void epochs.created(room, roomId, game);
    },
    left(room, sessionId) {
      const seat = ledger.get(sessionId);
      ledger.left(sessionId);
      // A session of a room that was handed over goes on there.
      const over = !(room instanceof GameRoom && room.handedOver);
      // Whose session the core ended did not lose it.
      const dropped = seat?.state === "dropped" && evicted.kindOf(sessionId) === undefined;
      if (seat && over) heartbeats.leftSessions.add(sessionId, seat.playerId, dropped);
    },
    ended: (roomId, room) => {
      epochs.ended(roomId);
      ledger.roomEnded(roomId, clock.monotonicMs());
      replication.ended(roomId, room);
      // One that moved goes on elsewhere.
      if (!(room instanceof GameRoom && room.handedOver)) heartbeats.endedRooms.add(roomId);
    },
    failed(room, err, method) {
      roomFailures.inc({ method });
      log.error(
        { err, method, roomId: room.roomId, game: room.roomName, runbook: "region-game-code" },
        "a room failed",
      );
    },
    invalidMessage: (room, reason) => {
      invalidMessages.inc({ game: room.roomName });
      refusals.note(room.roomName, reason);
    },
  };
}
