/** The process of the players: bare sockets that join, and then say nothing but pongs. */
import type { LeanAddress } from "../lean-socket.ts";
import { type EntryEvents, RoomEntry } from "../room-entry.ts";
import { openFilesMax } from "./open-files.ts";

const ENTER_DEADLINE_MS = 20_000;

export interface PlayersReady {
  readonly openFilesMax: number;
}

/** Those who are to join; none only asks how all are. */
export type PlayersQuestion = readonly LeanAddress[];

/** Of all players so far. */
export interface PlayersAnswer {
  readonly entered: number;
  /** Whose connection ended, before or after. */
  readonly lost: number;
  /** Why the last of them was. */
  readonly reason: string;
}

let asked = 0;
let entered = 0;
let lost = 0;
let reason = "";
let settled = () => {};

const events: EntryEvents = {
  entered() {
    entered += 1;
    check();
  },
  closed(_socket, why) {
    lost += 1;
    reason = why;
    check();
  },
};
const entry = new RoomEntry(events, { acknowledges: true });

function check(): void {
  if (entered + lost >= asked) settled();
}

process.on("message", async (addresses: PlayersQuestion) => {
  asked += addresses.length;
  let deadline: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    settled = resolve;
    deadline = setTimeout(resolve, ENTER_DEADLINE_MS);
    for (const address of addresses) entry.open(address);
    check();
  });
  clearTimeout(deadline);
  const answer: PlayersAnswer = { entered, lost, reason };
  process.send?.(answer);
});
// Before the first player there is nothing else that keeps this process alive.
process.channel?.ref();
const ready: PlayersReady = { openFilesMax: openFilesMax() };
process.send?.(ready);
