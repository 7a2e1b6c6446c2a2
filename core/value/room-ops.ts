/**
 * What was committed for a room after a place, for an owner that does not know: by its claim, which has
 * the room's row and so every operation of the owners before, and later by a call of its own.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { RoomId } from "../../shared/ids.ts";
import { ROOM_OPS_MAX, RoomOp, type RoomOps } from "../../shared/protocol/value.ts";
import type { Sql, Tx } from "../db/database.ts";
import { type Owner, type RoomOpRow, selectOpSeq, selectRoomOps } from "./value-store.ts";

/**
 * The first of them, with their number bounded; when there are more, `upTo` is the last one's place.
 * @param known the room's last place, read before
 */
export async function roomOpsAfter(
  sql: Sql,
  roomId: RoomId,
  { after, known }: { readonly after: number; readonly known: number },
): Promise<RoomOps> {
  const rows = await selectRoomOps(sql, roomId, { after, max: ROOM_OPS_MAX + 1 });
  const ops = rows.slice(0, ROOM_OPS_MAX).map(roomOpOf);
  const more = rows.length > ROOM_OPS_MAX;
  return { ops, upTo: (more && ops.at(-1)?.opSeq) || Math.max(after, known), more };
}

/** As `roomOpsAfter`, for the room's owner. @throws {MeridianError} `fenced` for anybody else */
export async function ownRoomOpsAfter(tx: Tx, owner: Owner, after: number): Promise<RoomOps> {
  const known = await selectOpSeq(tx, owner);
  if (known === undefined) throw new MeridianError("fenced");
  return await roomOpsAfter(tx, owner.roomId, { after, known });
}

function roomOpOf({ op_seq, op_id, body }: RoomOpRow): RoomOp {
  return RoomOp.parse({ opSeq: op_seq, id: op_id, changes: body });
}
