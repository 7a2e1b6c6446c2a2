/** Colyseus and players for tests of rooms, in this process and without a network. */
import { LocalDriver, LocalPresence, matchMaker } from "@colyseus/core";
import { RoomAuth } from "./player.ts";

let started: Promise<void> | undefined;

/** Colyseus has one matchmaker a process: it is started once, and holds nothing up at the end. */
export function startColyseus(): Promise<void> {
  const start = async () => {
    matchMaker.setHealthChecksEnabled(false);
    await matchMaker.setup(new LocalPresence(), new LocalDriver());
    await matchMaker.accept();
  };
  started ??= start();
  return started;
}

/** What the transport says of a player. @param number tells players apart */
export function authOf(name: string, number: number): RoomAuth {
  const playerId = `0190b6f8-7c3e-7000-8000-${String(number).padStart(12, "0")}`;
  return RoomAuth.parse({ playerId, name, sessionEpoch: [1, 1], region: "testing" });
}

/** One turn of the event loop: promises that need no more than each other have settled by then. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
