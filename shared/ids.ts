/**
 * The identifiers every part speaks. Each is a branded string: a `PlayerId` can't be passed where
 * a `RoomId` is wanted, and one read from outside must go through its schema first.
 */
import { z } from "zod";

const slug = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "a slug: a-z, 0-9 and '-', 32 at most");

/** UUIDv7, minted by the core when the account is made. */
export const PlayerId = z.uuid().brand<"PlayerId">();
export type PlayerId = z.infer<typeof PlayerId>;

/** A slug such as `beijing`, named in the topology file. */
export const RegionId = slug.brand<"RegionId">();
export type RegionId = z.infer<typeof RegionId>;

/**
 * A region's node in one of its lives: `<region>-<incarnation>`, for example `beijing-17`. A restarted
 * node is another NodeId, so tickets for its former life are refused. It is also the Colyseus process id.
 */
export const NodeId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}-[1-9][0-9]{0,14}$/)
  .brand<"NodeId">();
export type NodeId = z.infer<typeof NodeId>;

/** What a game is registered under, for example `arena`. */
export const GameName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,31}$/)
  .brand<"GameName">();
export type GameName = z.infer<typeof GameName>;

/**
 * Colyseus' own alphabet, so stock clients take it. It keeps rooms and seats in plain objects, where the
 * name of something that every object has (`__proto__`, `constructor`) would find that instead.
 */
const keyOfColyseus = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/)
  .refine((id) => !(id in Object.prototype), "a name that every object has");

/** A room, for its whole life, wherever it runs. */
export const RoomId = keyOfColyseus.brand<"RoomId">();
export type RoomId = z.infer<typeof RoomId>;

/** One player's place in one room. It survives reconnects; it is not a secret. */
export const SessionId = keyOfColyseus.brand<"SessionId">();
export type SessionId = z.infer<typeof SessionId>;

/** Makes a node's id from its region and its incarnation (a whole number from 1). */
export function nodeIdOf(regionId: RegionId, incarnation: number): NodeId {
  return NodeId.parse(`${regionId}-${incarnation}`);
}

/** Of which region a node is, by its id. */
export function regionOfNode(nodeId: NodeId): RegionId {
  return RegionId.parse(nodeId.slice(0, nodeId.lastIndexOf("-")));
}

/**
 * A UUID version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits, so
 * ids sort by the time they were made.
 *
 * @param unixMs milliseconds since 1970
 * @param random at least 10 random bytes
 */
export function uuidV7(unixMs: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(unixMs) << 16n);
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}
