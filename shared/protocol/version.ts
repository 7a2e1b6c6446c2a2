/**
 * The version of everything that crosses a process boundary: the players' HTTP and websocket
 * protocol and the private link.
 *
 * History
 * 1  guests, join, tickets, heartbeats, reserve, claim, drain
 */
export const PROTOCOL_VERSION = 1;

/** The oldest version that is still understood. A client below it gets `update_required`. */
export const PROTOCOL_VERSION_OLDEST = 1;

/** Whether this build can talk to a peer of that version. */
export function speaks(version: number): boolean {
  return version >= PROTOCOL_VERSION_OLDEST && version <= PROTOCOL_VERSION;
}
