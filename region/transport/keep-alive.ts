/**
 * A frame that keeps a quiet connection visibly alive: an idle Colyseus room sends nothing at all.
 *
 * It is the answer to a request that was never made. The stock 0.18 client drops answers with an id
 * it does not know, without a warning or a callback. The other candidates do not pass: a PING would
 * answer the client's own running `ping()`, an empty patch fires `onStateChange`, a message warns, or
 * reaches a `*` handler when its name starts with `__`.
 */
import { getMessageBytes, Protocol } from "@colyseus/core";

/** A client suspects a connection that was silent for 1,500 ms. */
export const KEEP_ALIVE_MS = 500;

/** Clients count their requests up from 0. */
const REQUEST_NEVER_MADE = 0xffff_ffff;
const STATUS_OK = 0;

export const KEEP_ALIVE_FRAME: Uint8Array = getMessageBytes[Protocol.ROOM_RESPONSE](
  REQUEST_NEVER_MADE,
  STATUS_OK,
);
