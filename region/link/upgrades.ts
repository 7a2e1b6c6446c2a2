/**
 * Connections of other regions that leave HTTP: a request with `Upgrade` for one of the paths here, from a node
 * with a region's certificate, becomes a stream of bytes. Whoever else asks is answered as HTTP, and closed.
 *
 * The streams are counted by nobody but their routes; what is left of them when the server closes is destroyed.
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import type { RegionId } from "../../shared/ids.ts";
import { peerOf } from "../../shared/link/peer.ts";

/** A connection that asks to leave HTTP. Nothing was answered yet: `acceptUpgrade` or `refuseUpgrade` does. */
export interface Upgrade {
  /** Whose certificate it has. */
  readonly regionId: RegionId;
  readonly socket: TLSSocket;
  /** What came behind the request already. */
  readonly head: Buffer;
}

export interface UpgradeRoute {
  /** As the request's `Upgrade` names it. */
  readonly protocol: string;
  readonly take: (upgrade: Upgrade) => void;
}

/** @param routes by path; a request for any other, or with a query, is refused */
export function serveUpgrades(server: HttpServer, routes: ReadonlyMap<string, UpgradeRoute>): void {
  const open = new Set<TLSSocket>();
  let closing = false;
  server.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A connection that breaks closes, which is heard where it is used.
    socket.on("error", () => undefined);
    // It had connected before; as a stream it would hold up the end of the server for as long as it lives.
    if (closing) {
      socket.destroy();
      return;
    }
    const peer = socket instanceof TLSSocket ? peerOf(socket) : undefined;
    const route = routes.get(request.url ?? "");
    if (!(socket instanceof TLSSocket) || peer?.role !== "region") {
      refuseUpgrade(socket, new MeridianError("forbidden"));
    } else if (!route || !asksFor(route, request)) {
      refuseUpgrade(socket, new MeridianError("not_found"));
    } else {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      route.take({ regionId: peer.regionId, socket, head });
    }
  });
  server.addHook("preClose", async () => {
    closing = true;
    for (const socket of open) socket.destroy();
  });
}

function asksFor({ protocol }: UpgradeRoute, { method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade === protocol;
}

export function acceptUpgrade(socket: Duplex, protocol: string): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\n\r\n`,
  );
}

/** Answers with the failure, as every route does, and closes. */
export function refuseUpgrade(socket: Duplex, failure: MeridianError): void {
  const body = JSON.stringify(failure.toBody());
  socket.end(
    `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}\r\n` +
      "content-type: application/json; charset=utf-8\r\nconnection: close\r\n" +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  socket.once("finish", () => socket.destroy());
}
