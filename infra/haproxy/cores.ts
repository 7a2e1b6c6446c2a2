/**
 * HAProxy in front of the cores: one address for players, one for regions, one for operators. Pure: from the cores to
 * the text of `haproxy.cfg`.
 *
 * All of it goes to the core that leads, which is the one whose private port answers `GET /readyz` with 200. While the
 * database is away that is none; then the core that leads as far as it knows gets it (`?exclude=database`), because
 * heartbeats and much else need no database. Connections to a core that is taken out are closed: their callers
 * come again, and find the next. The link stays TLS between regions and core, so it passes as plain TCP.
 */

export interface ProxiedCore {
  /** Of letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  readonly host: string;
  /** For players. */
  readonly port: number;
  readonly linkPort: number;
  readonly privatePort: number;
}

export interface CoresProxyOptions {
  /** What players connect to, such as `:443`. */
  readonly bind: string;
  /** What regions and name servers connect to. */
  readonly linkBind: string;
  /** What operators connect to; never a public address. */
  readonly opsBind: string;
  /** PEM file with certificate, chain and key; without one it speaks plain HTTP to players. */
  readonly certificate?: string | undefined;
  /** For the runtime API, and for handing the open ports on at a reload; none by default. */
  readonly socket?: string | undefined;
  readonly connectionsMax: number;
}

/** Long enough that the core's own limits decide: it ends what says nothing for 60 s. */
const SILENT_S = 75;
/** What clients understand as a failure that passes. */
const NO_LEADER = JSON.stringify({
  error: {
    kind: "unavailable",
    message: "No core leads right now.",
    retryable: true,
    retryAfterMs: 500,
  },
});

interface Entry {
  readonly name: string;
  readonly mode: "http" | "tcp";
  readonly bind: string;
  readonly options: readonly string[];
  readonly portOf: (core: ProxiedCore) => number;
}

/** @returns the same text for the same cores, whatever their order */
export function coresConfig(cores: readonly ProxiedCore[], options: CoresProxyOptions): string {
  const { bind, linkBind, opsBind, certificate, socket, connectionsMax } = options;
  const sorted = cores.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const tls = certificate ? ` ssl crt ${certificate} alpn h2,http/1.1` : "";
  const entries: readonly Entry[] = [
    {
      name: "players",
      mode: "http",
      bind: `${bind}${tls}`,
      options: ["  option forwardfor"],
      portOf: ({ port }) => port,
    },
    { name: "link", mode: "tcp", bind: linkBind, options: [], portOf: ({ linkPort }) => linkPort },
    {
      name: "ops",
      mode: "http",
      bind: opsBind,
      options: [],
      portOf: ({ privatePort }) => privatePort,
    },
  ];
  return [
    "# Made by `npm run haproxy`; changes are lost.",
    "global",
    `  maxconn ${connectionsMax}`,
    "  no strict-limits",
    ...(socket ? [`  stats socket ${socket} mode 600 level admin expose-fd listeners`] : []),
    "  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
    "  hard-stop-after 1h",
    "",
    "defaults",
    "  timeout connect 2s",
    "  timeout check 1s",
    "  timeout http-request 10s",
    "  timeout http-keep-alive 30s",
    `  timeout client ${SILENT_S}s`,
    `  timeout server ${SILENT_S}s`,
    "  timeout tunnel 1h",
    "  option clitcpka",
    "  option srvtcpka",
    "  retries 2",
    // At once, to another: the first may be gone and not yet be marked so.
    "  option redispatch 1",
    "  default-server inter 500ms fastinter 100ms downinter 200ms fall 2 rise 1 on-marked-down shutdown-sessions",
    ...checked("leader", "/readyz", sorted),
    ...checked("alone", "/readyz?exclude=database", sorted),
    ...entries.flatMap((entry) => entryLines(entry, sorted)),
    "",
  ].join("\n");
}

/** A backend that nothing is sent to: what the others' servers are taken out and put back by. */
function checked(what: string, path: string, cores: readonly ProxiedCore[]): readonly string[] {
  return [
    "",
    `backend ${what}`,
    "  mode http",
    "  option httpchk",
    `  http-check send meth GET uri ${path} ver HTTP/1.1 hdr Host core`,
    "  http-check expect status 200",
    ...cores.map(({ name, host, privatePort }) => `  server ${name} ${host}:${privatePort} check`),
  ];
}

function entryLines(entry: Entry, cores: readonly ProxiedCore[]): readonly string[] {
  const { name, mode, bind, options, portOf } = entry;
  const refusal =
    mode === "http"
      ? [`  http-error status 503 content-type application/json string '${NO_LEADER}'`]
      : [];
  const backend = (what: string) => [
    "",
    `backend ${name}_${what}`,
    `  mode ${mode}`,
    ...refusal,
    ...cores.map(
      (core) => `  server ${core.name} ${core.host}:${portOf(core)} track ${what}/${core.name}`,
    ),
  ];
  return [
    "",
    `frontend ${name}`,
    `  mode ${mode}`,
    `  bind ${bind}`,
    ...options,
    `  use_backend ${name}_leader if { nbsrv(${name}_leader) gt 0 }`,
    `  default_backend ${name}_alone`,
    ...backend("leader"),
    ...backend("alone"),
  ];
}
