/**
 * HAProxy in front of primary and standby: one address for the core's `DATABASE_URL`. Pure: from the members to
 * the text of `haproxy.cfg`. The same text is used in production, where Patroni answers the checks, and in the
 * local world, where the manager of the pair does.
 *
 * A connection to a member that is not the primary any more is ended at once: its transactions could not be
 * committed anyway, and a core that waits for an answer there would wait for its own deadline.
 */

export interface DatabaseMember {
  readonly name: string;
  /** `host:port` of PostgreSQL. */
  readonly address: string;
  /** Of Patroni's REST API, on the same host. */
  readonly checkPort: number;
}

export interface DatabaseProxyOptions {
  /** What the core connects to, such as `127.0.0.1:5000`. */
  readonly bind: string;
  /** For reads that may be stale: standbys that lag by `lagMax` at most, such as `16MB`. */
  readonly standby?: { readonly bind: string; readonly lagMax: string };
  readonly connectionsMax: number;
}

/** @returns the same text for the same members, whatever their order */
export function databaseProxyConfig(
  members: readonly DatabaseMember[],
  { bind, standby, connectionsMax }: DatabaseProxyOptions,
): string {
  const sorted = members.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const servers = sorted.map(
    ({ name, address, checkPort }) =>
      `  server ${name} ${address} maxconn ${connectionsMax} check port ${checkPort}`,
  );
  const section = (name: string, address: string, check: string) => [
    "",
    `listen ${name}`,
    `  bind ${address}`,
    "  option httpchk",
    `  http-check send meth GET uri ${check}`,
    "  http-check expect status 200",
    // A member is found to be gone within a second, and its successor half a second after it says so.
    "  default-server inter 500ms fastinter 250ms fall 2 rise 1 on-marked-down shutdown-sessions",
    ...servers,
  ];
  return [
    "global",
    `  maxconn ${connectionsMax * 2}`,
    "",
    "defaults",
    "  mode tcp",
    "  timeout connect 2s",
    "  timeout check 2s",
    // Connections of a pool are idle for long; who is gone is found out by keep-alives.
    "  timeout client 1h",
    "  timeout server 1h",
    "  option clitcpka",
    "  option srvtcpka",
    // Refused at once while nobody is the primary: the core has its own patience.
    "  retries 0",
    ...section("database_primary", bind, "/primary"),
    ...(standby ? section("database_standby", standby.bind, `/replica?lag=${standby.lagMax}`) : []),
    "",
  ].join("\n");
}
