/**
 * The game that all contenders of the `rooms` benchmark run: everyone runs about on a field without
 * edges, all the time, so that every patch holds every player. One schema, one set of rules.
 */
import { type SchemaType, schema, t } from "@colyseus/schema";

export const PLAYERS = 1_000;
export const ROOM_SEATS = 50;
export const GAME = "field";
/** Of ticks, of patches, and of each player's inputs. */
export const RATE_HZ = 20;
export const TICK_MS = 1_000 / RATE_HZ;

const FIELD_SIZE = 4_096;
const SPEED_PER_S = 200;

export const Runner = schema(
  {
    x: t.float32().default(0),
    y: t.float32().default(0),
    /** Radians. */
    facing: t.float32().default(0),
    /** Number of the last input that was applied. */
    lastInput: t.uint32().default(0),
  },
  "Runner",
);
export type Runner = SchemaType<typeof Runner>;

export const FieldState = schema(
  {
    /** By session. */
    runners: t.map(Runner),
  },
  "FieldState",
);
export type FieldState = SchemaType<typeof FieldState>;

/** Where a player runs from now on. */
export interface Move {
  /** Each has a higher number than the one before. */
  readonly input: number;
  /** Radians. */
  readonly facing: number;
}

export function enter(state: FieldState, sessionId: string): void {
  state.runners.set(sessionId, new Runner());
}

export function leave(state: FieldState, sessionId: string): void {
  state.runners.delete(sessionId);
}

export function steer(state: FieldState, sessionId: string, { input, facing }: Move): void {
  const runner = state.runners.get(sessionId);
  if (!runner || input <= runner.lastInput) return;
  runner.lastInput = input;
  runner.facing = facing;
}

export function tick(state: FieldState, dtMs: number): void {
  const stride = (SPEED_PER_S * dtMs) / 1_000;
  for (const runner of state.runners.values()) {
    runner.x = wrapped(runner.x + Math.cos(runner.facing) * stride);
    runner.y = wrapped(runner.y + Math.sin(runner.facing) * stride);
  }
}

function wrapped(place: number): number {
  return (place + FIELD_SIZE) % FIELD_SIZE;
}
