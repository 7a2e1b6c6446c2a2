/**
 * The table of games of the region's process. That process is a stock one, so what it knows of its ticks goes
 * into a file, a line a second.
 */
import { appendFileSync } from "node:fs";
import { systemClock } from "../../../shared/clock.ts";
import { FieldRoom } from "../rooms/field-room.ts";
import { GAME } from "../rooms/game.ts";
import { ownAccount } from "../rooms/server-child.ts";

const PERIOD_MS = 1_000;

/** How much later than one period after the one before it each tick of that second began. */
export interface TickLine {
  /** Of the wall's clock. */
  readonly atMs: number;
  readonly latenessesMs: readonly number[];
}

export const games = { [GAME]: FieldRoom };

const { TICKS_FILE = "" } = process.env;
if (TICKS_FILE) {
  systemClock.every(PERIOD_MS, () => {
    const latenessesMs = ownAccount.takeLatenesses().map((ms) => Math.round(ms * 100) / 100);
    const line: TickLine = { atMs: Date.now(), latenessesMs };
    appendFileSync(TICKS_FILE, `${JSON.stringify(line)}\n`);
  });
}
