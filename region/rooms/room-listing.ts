/**
 * How a room is listed, by what Colyseus keeps inside a room. Restoring is for a room that is being
 * made: nothing is written to a driver, the room's first listing carries it.
 */
import type { Room } from "@colyseus/core";
import { z } from "zod";
import type { RoomRecord } from "./room-side.ts";

interface ListingInternals {
  _lockedExplicitly: boolean;
  readonly _listing: { locked?: boolean; private?: boolean };
  /** With an argument Colyseus locks without writing to its driver. */
  lock(byItself: true): Promise<void>;
}

type Listing = Pick<RoomRecord, "metadata" | "locked" | "private" | "clientsMax">;

export function readListing(room: Room): Listing {
  const { _lockedExplicitly, _listing } = room as unknown as ListingInternals;
  const { metadata, maxClients } = room;
  // Asked at each patch; what is not there would cost the schema a whole tree of errors.
  const json = metadata === undefined ? undefined : z.json().safeParse(metadata);
  return {
    locked: _lockedExplicitly,
    private: _listing.private === true,
    ...(json?.success && { metadata: json.data }),
    ...(Number.isFinite(maxClients) && { clientsMax: maxClients }),
  };
}

export async function restoreListing(room: Room, listing: Listing): Promise<void> {
  const internals = room as unknown as ListingInternals;
  if (listing.metadata !== undefined) room.metadata = listing.metadata;
  if (listing.clientsMax !== undefined) room.maxClients = listing.clientsMax;
  internals._listing.private = listing.private;
  if (!listing.locked) return;
  await internals.lock(true);
  internals._lockedExplicitly = true;
  internals._listing.locked = true;
}
