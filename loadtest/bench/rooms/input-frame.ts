/**
 * A player's input on the wire, byte for byte what the stock client sends for
 * `room.send("move", { input, facing })`; a test holds it to that. With inputs from `FIRST_INPUT` on all
 * frames have one length and their numbers stand in the same place.
 */
import { Protocol } from "@colyseus/core";
import type { Move } from "./game.ts";

/** MessagePack writes smaller numbers in fewer bytes. */
export const FIRST_INPUT = 0x1_0000;

const INPUT_AT = 24;
const FACING_AT = 29;
/**
 * msgpackr's record of two named fields, then their values: a 32-bit number and a 64-bit float, most
 * significant byte first.
 */
const TEMPLATE = Buffer.concat([
  Buffer.from([Protocol.ROOM_DATA, 0xa4]),
  Buffer.from("move"),
  Buffer.from([0xd4, 0x72, 0x40, 0x92, 0xa5]),
  Buffer.from("input"),
  Buffer.from([0xa6]),
  Buffer.from("facing"),
  Buffer.from([0xce, 0, 0, 0, 0, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0]),
]);

export const INPUT_FRAME_BYTES = TEMPLATE.length;

export function writeInput(target: Buffer, at: number, { input, facing }: Move): void {
  TEMPLATE.copy(target, at);
  target.writeUInt32BE(input, at + INPUT_AT);
  target.writeDoubleBE(facing, at + FACING_AT);
}

/** Only for a frame that `writeInput` made. */
export function readInput(frame: DataView): Move {
  return { input: frame.getUint32(INPUT_AT), facing: frame.getFloat64(FACING_AT) };
}
