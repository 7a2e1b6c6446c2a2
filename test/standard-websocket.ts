/**
 * For tests of stock clients in Node: a websocket that ends as the standard says, and as it does in
 * browsers. The one of Node 22 has no close event after an opening that failed (nodejs/undici#3546), and
 * the SDK, which waits for one, never tries again. Import this before the SDK: it looks once.
 */
import { WebSocket } from "undici";

Object.assign(globalThis, { WebSocket });
