/** What a room needs from the node it runs on; everything else it has in itself. */
import { randomInt } from "node:crypto";
import type { Client, Room } from "@colyseus/core";
import type { Logger } from "pino";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { StateService } from "./player-state.ts";
import { noProfiles, type ProfileService } from "./room-profiles.ts";
import type { ValueService } from "./room-value.ts";

export interface RoomServices {
  readonly clock: Clock;
  readonly log: Pick<Logger, "error">;
  /** Game code threw; the room goes on. */
  failed(room: Room, error: unknown, method: string): void;
  /** A message had a wrong form, or none such exists; its sender was told and game code was not. */
  invalidMessage(room: Room, client: Client, reason: string): void;
  /** Seeds a new room's randomness: a whole number from 0 to 2^32 - 1. */
  seed(): number;
  /** Players' documents. */
  readonly state: StateService;
  /** The core's decisions on money and items. */
  readonly value: ValueService;
  /** What may be known of any player. */
  readonly profiles: ProfileService;
}

/** Of a room that has no core. */
export const noValue: ValueService = {
  async apply() {
    throw noCore();
  },
  async opsAfter() {
    throw noCore();
  },
};

/** Of a room that has no core. */
export const noState: StateService = {
  async enter() {
    throw noCore();
  },
};

export const defaultRoomServices: RoomServices = {
  clock: systemClock,
  log: { error: console.error },
  failed() {},
  invalidMessage() {},
  seed: () => randomInt(2 ** 32),
  state: noState,
  value: noValue,
  profiles: noProfiles,
};

function noCore(): MeridianError {
  return new MeridianError("unavailable", { message: "There is no core to decide." });
}
