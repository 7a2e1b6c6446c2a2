/** What the core asks of a node's copies: which it has, and to go on with rooms, hand copies on, move live rooms. */
import { ErrorBody } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import {
  CopiesAnswer,
  CopiesRequest,
  MoveRoomsAnswer,
  MoveRoomsRequest,
  PassCopiesAnswer,
  PassCopiesRequest,
  ROOMS_PER_CALL_MAX,
  TakeOverAnswer,
  TakeOverRequest,
} from "../../shared/protocol/failover.ts";
import type { CopyStore } from "./copy-store.ts";
import type { MoveRooms } from "./move-rooms.ts";
import type { PassCopies } from "./pass-copies.ts";
import type { TakeOver } from "./take-over.ts";

/** A room's name, its owner's and its epoch take up to 200 bytes. */
const BODY_BYTES_MAX = 16 * 1024 + ROOMS_PER_CALL_MAX * 256;
const failures = { "4xx": ErrorBody, "5xx": ErrorBody };

export interface ReplicationRoutes {
  readonly store: Pick<CopyStore, "of">;
  readonly takeOver: Pick<TakeOver, "take">;
  readonly passCopies: Pick<PassCopies, "pass">;
  readonly moveRooms: Pick<MoveRooms, "move">;
}

export function addReplicationRoutes(server: HttpServer, routes: ReplicationRoutes): void {
  const { store, takeOver, passCopies, moveRooms } = routes;
  server.post(
    "/link/copies",
    { schema: { body: CopiesRequest, response: { 200: CopiesAnswer, ...failures } } },
    async ({ body }) => ({ copies: store.of(new Set(body.ofNodes)) }),
  );
  server.post(
    "/link/take-over",
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: { body: TakeOverRequest, response: { 200: TakeOverAnswer, ...failures } },
    },
    ({ body }) => takeOver.take(body.rooms),
  );
  server.post(
    "/link/pass-copies",
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: { body: PassCopiesRequest, response: { 200: PassCopiesAnswer, ...failures } },
    },
    ({ body }) => passCopies.pass(body),
  );
  server.post(
    "/link/move-rooms",
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: { body: MoveRoomsRequest, response: { 200: MoveRoomsAnswer, ...failures } },
    },
    ({ body }) => moveRooms.move(body.roomIds),
  );
}
