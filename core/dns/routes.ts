/** `POST /dns/view` on the link: what a responder beside a name server asks for, again and again. */
import { TLSSocket } from "node:tls";
import type { FastifyRequest } from "fastify";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { type NameServerId, peerOf } from "../../shared/link/peer.ts";
import { failures } from "../http/failures.ts";
import { DNS_VIEW_PATH, DnsView, DnsViewRequest } from "./view.ts";
import type { ViewPolls } from "./view-polls.ts";

export function addDnsRoutes(server: HttpServer, polls: ViewPolls): void {
  server.post(
    DNS_VIEW_PATH,
    {
      onRequest: async (request) => {
        nameServerOf(request);
      },
      schema: { body: DnsViewRequest, response: { 200: DnsView, ...failures("forbidden") } },
    },
    (request) => polls.poll(nameServerOf(request), request.body.after),
  );
}

/** @throws {MeridianError} `forbidden` for a connection whose certificate names another peer */
function nameServerOf({ raw: { socket } }: FastifyRequest): NameServerId {
  const peer = socket instanceof TLSSocket ? peerOf(socket) : undefined;
  if (peer?.role === "dns") return peer.nameServer;
  throw new MeridianError("forbidden", { message: "Only name servers may ask for their view." });
}
