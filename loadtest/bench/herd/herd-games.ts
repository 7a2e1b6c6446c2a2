/**
 * The table of games of the regions' processes: the herd's rooms are silent, the residents' rooms are not. What a
 * process knows of the ticks of the residents' rooms goes into a file of its region's, a line a second.
 */
import { appendFileSync } from "node:fs";
import { systemClock } from "../../../shared/clock.ts";
import { IdleRoom } from "../idle/idle-room.ts";
import type { TickLine } from "../overload/region-games.ts";
import { FieldRoom } from "../rooms/field-room.ts";
import { ownAccount } from "../rooms/server-child.ts";
import { HERD_GAME, RESIDENT_GAME } from "./names.ts";

const PERIOD_MS = 1_000;

export const games = { [HERD_GAME]: IdleRoom, [RESIDENT_GAME]: FieldRoom };

const { HERD_TICKS_FILE = "", REGION_ID = "" } = process.env;
systemClock.every(PERIOD_MS, () => {
  const latenessesMs = ownAccount.takeLatenesses().map((ms) => Math.round(ms * 100) / 100);
  if (latenessesMs.length === 0) return;
  const line: TickLine = { atMs: Date.now(), latenessesMs };
  appendFileSync(`${HERD_TICKS_FILE}-${REGION_ID}`, `${JSON.stringify(line)}\n`);
});
