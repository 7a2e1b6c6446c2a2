/** Gives rooms up at the core, for their next owner to claim. */
import type { NodeId, RoomId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { ReleaseRoomsAnswer, type ReleaseRoomsRequest } from "../../shared/protocol/link.ts";

const DEADLINE_MS = 1_500;
const ROOMS_PER_CALL = 1_000;

export interface RoomReleaseOptions {
  readonly client: LinkClient;
  readonly coreAddress: string;
  readonly nodeId: NodeId;
}

/**
 * @throws {MeridianError} `unavailable`, `timeout`, …: rooms named in earlier calls are released
 */
export async function releaseRooms(
  { client, coreAddress, nodeId }: RoomReleaseOptions,
  roomIds: readonly RoomId[],
): Promise<void> {
  for (let at = 0; at < roomIds.length; at += ROOMS_PER_CALL) {
    const body: ReleaseRoomsRequest = { nodeId, roomIds: roomIds.slice(at, at + ROOMS_PER_CALL) };
    await client.call({
      address: coreAddress,
      peer: { role: "core" },
      path: "/link/release-rooms",
      body,
      answer: ReleaseRoomsAnswer,
      deadlineMs: DEADLINE_MS,
    });
  }
}
