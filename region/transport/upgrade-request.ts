/** What a player's websocket request asks for, read from its path, query and Origin. */
import { z } from "zod";
import { NodeId, RoomId, SessionId } from "../../shared/ids.ts";
import { ReconnectionToken } from "../../shared/protocol/join.ts";

const PATH = /^\/t\/([^/]+)\/([^/]+)\/([^/]+)$/;

const UpgradeRequest = z.object({
  /** Not parsed here: whatever is wrong with a ticket is answered alike. */
  ticket: z.string(),
  processId: NodeId,
  roomId: RoomId,
  sessionId: SessionId,
  /** Present when a dropped player comes back. */
  reconnectionToken: ReconnectionToken.optional(),
  /** The client knows the state's schema already. */
  skipHandshake: z.boolean(),
  /** The client is ready for the state right after the join: one exchange less to wait for. */
  acknowledged: z.boolean(),
});
export type UpgradeRequest = z.infer<typeof UpgradeRequest>;

/**
 * `/t/<ticket>/<processId>/<roomId>` and `sessionId=…[&reconnectionToken=…][&skipHandshake=…]
 * [&acknowledged=…]`; undefined when it has another form. Other parameters are ignored.
 */
export function parseUpgrade(path: string, query: string): UpgradeRequest | undefined {
  const parts = PATH.exec(path);
  if (!parts) return undefined;
  const [, ticket, processId, roomId] = parts;
  const parameters = new URLSearchParams(query);
  const request = UpgradeRequest.safeParse({
    ticket,
    processId,
    roomId,
    sessionId: parameters.get("sessionId"),
    reconnectionToken: parameters.get("reconnectionToken") ?? undefined,
    skipHandshake: parameters.has("skipHandshake"),
    acknowledged: parameters.has("acknowledged"),
  });
  return request.success ? request.data : undefined;
}

/**
 * Whether a page of that origin may connect. Native clients send none and are let through: the check
 * keeps foreign pages from using a player's browser, and only browsers send an Origin.
 *
 * @param allowed origins such as `https://play.example.com`; `*` allows all
 */
export function originAllowed(origin: string, allowed: ReadonlySet<string>): boolean {
  return origin === "" || allowed.has(origin) || allowed.has("*");
}
