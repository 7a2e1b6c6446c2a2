/**
 * HAProxy in front of a region's nodes: one address for players, TLS at the edge. Pure: from the nodes
 * to the text of `haproxy.cfg`.
 *
 * A seat is at one node, so a websocket's path names it (`/t/<ticket>/<node>/<room>`), and that is what
 * is routed by; a node that is gone gets 404, on which clients go back to the core. Paths hold tickets:
 * they are in no log line. Connections stay with the process that took them over any number of reloads.
 */
import type { NodeId } from "../../shared/ids.ts";

export interface ProxiedNode {
  readonly nodeId: NodeId;
  /** `host:port` where the node itself listens for players. */
  readonly address: string;
}

export interface ProxyOptions {
  /** What players connect to, such as `:443` or `127.0.0.1:8443`. */
  readonly bind: string;
  /** PEM file with certificate, chain and key; without one it speaks plain HTTP. */
  readonly certificate?: string | undefined;
  /** For the runtime API, and for handing the open ports on at a reload. */
  readonly socket: string;
  readonly connectionsMax: number;
}

/** @returns the same text for the same nodes, whatever their order */
export function haproxyConfig(nodes: readonly ProxiedNode[], options: ProxyOptions): string {
  const { bind, certificate, socket, connectionsMax } = options;
  const sorted = nodes.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const tls = certificate ? ` ssl crt ${certificate} alpn http/1.1` : "";
  return [
    "# Made by `npm run haproxy`; changes are lost.",
    "global",
    `  maxconn ${connectionsMax}`,
    `  stats socket ${socket} mode 600 level admin expose-fd listeners`,
    "  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
    "  hard-stop-after 12h",
    "",
    "defaults",
    "  mode http",
    "  timeout connect 2s",
    "  timeout http-request 5s",
    "  timeout http-keep-alive 10s",
    "  timeout client 30s",
    "  timeout server 30s",
    "  timeout tunnel 1h",
    "  retries 2",
    "  option redispatch",
    "",
    "frontend players",
    `  bind ${bind}${tls}`,
    "  acl beacon path /ping",
    "  acl seat path_beg /t/",
    "  http-request deny deny_status 404 unless beacon or seat",
    "  http-request deny deny_status 405 unless { method GET OPTIONS }",
    "  http-request set-var(txn.node) path,field(4,/)",
    "  use_backend node_%[var(txn.node)] if seat { var(txn.node) -m reg ^[a-z][a-z0-9-]*$ }",
    "  default_backend any_node",
    "",
    "backend any_node",
    "  balance leastconn",
    "  http-request deny deny_status 404 unless { path /ping }",
    "  option httpchk",
    "  http-check send meth GET uri /ping ver HTTP/1.1 hdr Host node",
    "  http-check expect status 204",
    ...sorted.map(({ nodeId, address }) => `  server ${nodeId} ${address} check inter 1s`),
    ...sorted.flatMap(({ nodeId, address }) => [
      "",
      `backend node_${nodeId}`,
      `  server ${nodeId} ${address}`,
    ]),
    "",
  ].join("\n");
}
