/**
 * The beacon: what clients measure their round trip to. `GET /ping` answers an empty 204 to anyone,
 * and a websocket at the same path echoes tiny frames, a bounded number of times. Everything else
 * that speaks HTTP here gets a 404, or a 405 whose connection is closed before any body is read.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { HttpResponse, UwsApp, WebSocketBehavior } from "./uws.ts";

const ECHOES_MAX = 20;
const ECHO_BYTES_MAX = 16;
/** The shortest that uWebSockets.js knows, in seconds. */
const IDLE_TIMEOUT_S = 8;
const NORMAL_CLOSURE = 1000;
const PATH = "/ping";

export interface BeaconData {
  echoes: number;
}

export interface BeaconConnections {
  /** Whether one more connection fits; counted from then on when it does. */
  opened(): boolean;
  closed(): void;
}

export function serveBeacon(app: UwsApp, connections: BeaconConnections): void {
  app.get(PATH, (res) => {
    openToAll(res.writeStatus("204 No Content")).endWithoutBody();
  });
  app.options(PATH, (res) => {
    openToAll(res.writeStatus("204 No Content"))
      .writeHeader("access-control-allow-methods", "GET")
      .writeHeader("access-control-max-age", "86400")
      .endWithoutBody();
  });
  app.ws<BeaconData>(PATH, echo(connections));
}

/** Registered last: whatever no other route took. */
export function refuseOtherRequests(app: UwsApp): void {
  app.any("/*", (res, req) => {
    const reads = req.getMethod() === "get" || req.getMethod() === "options";
    if (reads) answerFailure(res, new MeridianError("not_found"));
    else answerFailure(res, new MeridianError("bad_request"), "405 Method Not Allowed");
  });
}

/** Answers with the failure's body and closes the connection, so that no request body is awaited. */
export function answerFailure(
  res: HttpResponse,
  failure: MeridianError,
  statusLine?: string,
): void {
  res
    .writeStatus(statusLine ?? `${failure.status} ${failure.kind}`)
    .writeHeader("content-type", "application/json")
    .writeHeader("cache-control", "no-store")
    .end(JSON.stringify(failure.toBody()), true);
}

function openToAll(res: HttpResponse): HttpResponse {
  return res
    .writeHeader("access-control-allow-origin", "*")
    .writeHeader("timing-allow-origin", "*")
    .writeHeader("cache-control", "no-store");
}

function echo(connections: BeaconConnections): WebSocketBehavior<BeaconData> {
  return {
    maxPayloadLength: ECHO_BYTES_MAX,
    maxBackpressure: ECHO_BYTES_MAX * ECHOES_MAX,
    closeOnBackpressureLimit: true,
    idleTimeout: IDLE_TIMEOUT_S,
    sendPingsAutomatically: false,
    upgrade(res, req, context) {
      if (!connections.opened()) {
        answerFailure(res, new MeridianError("unavailable"));
        return;
      }
      res.upgrade<BeaconData>(
        { echoes: 0 },
        req.getHeader("sec-websocket-key"),
        req.getHeader("sec-websocket-protocol"),
        req.getHeader("sec-websocket-extensions"),
        context,
      );
    },
    message(ws, message, isBinary) {
      const data = ws.getUserData();
      data.echoes += 1;
      if (data.echoes > ECHOES_MAX) ws.end(NORMAL_CLOSURE);
      else ws.send(message, isBinary);
    },
    close() {
      connections.closed();
    },
  };
}
