/**
 * The configuration of PowerDNS in front of a responder. Pure: from a few choices to the text of
 * `pdns.conf`. It answers for the one zone of the responder and does nothing else: no recursion, no zone
 * transfer, no updates, no API, no word of its version.
 */

export interface PdnsOptions {
  /** The responder's socket; a relative one counts from where PowerDNS is started. */
  readonly responderSocket: string;
  /** Where it listens, on UDP and TCP; an IPv6 address without brackets. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Folder of its own control socket. */
  readonly socketDir: string;
  /** As whom it goes on once it has its ports; without one as whoever started it. */
  readonly user?: string | undefined;
}

/** A responder that does not answer in this is one that is gone: the query gets SERVFAIL, ms. */
const RESPONDER_MS = 1_000;
/** The zone's own metadata, of which there is none. */
const METADATA_TTL_S = 3_600;
/** Saves one of four questions to the responder: 4,000 questions a second became 5,900 on two busy cores. */
const NOTHING_TTL_S = 60;
/** Some 30 MB of names that a flood made up. */
const NOTHING_ENTRIES_MAX = 100_000;
/** Each has a connection of its own to the responder, and waits for one answer at a time. */
const THREADS = 8;
/** Questions that wait for a thread; past it the next are dropped: the oldest were given up by then anyway. */
const WAITING_MAX = 500;
/** Past that many the server ends itself, so whoever sends fast enough could end it: never to be reached. */
const QUEUE_MAX = 100_000;
const QUEUE_GIVE_UP_MS = 800;
const TCP_CONNECTIONS_MAX = 200;
const TCP_CONNECTIONS_PER_CLIENT_MAX = 20;
const TCP_SECONDS_MAX = 60;

export function pdnsConfig(options: PdnsOptions): string {
  const { responderSocket, addresses, port, socketDir, user } = options;
  return [
    "# Made by Meridian's infra/dns/config.ts.",
    "launch=remote",
    `remote-connection-string=unix:path=${responderSocket},timeout=${RESPONDER_MS}`,
    `local-address=${addresses.join(", ")}`,
    `local-port=${port}`,
    `socket-dir=${socketDir}`,
    ...(user === undefined ? [] : [`setuid=${user}`, `setgid=${user}`]),
    "daemon=no",
    "guardian=no",
    "disable-syslog=yes",
    "# Errors, not the questions of strangers.",
    "loglevel=3",
    "",
    "# The answer depends on who asks, and a drained region must be gone at once: no answer is cached here.",
    "edns-subnet-processing=yes",
    "cache-ttl=0",
    "query-cache-ttl=0",
    "# What the zone does not have, such as a SOA of a name in it: the responder never says that of play.",
    `negquery-cache-ttl=${NOTHING_TTL_S}`,
    `max-cache-entries=${NOTHING_ENTRIES_MAX}`,
    "# A list of zones that could not be had would end the process at its start.",
    "zone-cache-refresh-interval=0",
    `zone-metadata-cache-ttl=${METADATA_TTL_S}`,
    "# The responder draws the order, by weight.",
    "no-shuffle=yes",
    "any-to-tcp=yes",
    "",
    `distributor-threads=${THREADS}`,
    `overload-queue-length=${WAITING_MAX}`,
    `max-queue-length=${QUEUE_MAX}`,
    `queue-limit=${QUEUE_GIVE_UP_MS}`,
    `max-tcp-connections=${TCP_CONNECTIONS_MAX}`,
    `max-tcp-connections-per-client=${TCP_CONNECTIONS_PER_CLIENT_MAX}`,
    `max-tcp-connection-duration=${TCP_SECONDS_MAX}`,
    "",
    "version-string=anonymous",
    "security-poll-suffix=",
    "server-id=disabled",
    "disable-axfr=yes",
    "dnsupdate=no",
    "api=no",
    "webserver=no",
    "primary=no",
    "secondary=no",
    "",
  ].join("\n");
}
