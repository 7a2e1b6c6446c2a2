/** What the zone holds besides the regions: its names, its SOA and NS records. Pure. */

export interface NameServer {
  /** Whole, in small letters, without the final dot. */
  readonly host: string;
  /** IPv4 and IPv6; none for a host of another zone. */
  readonly addresses: readonly string[];
}

export interface Zone {
  /** Such as `meridian.test`: whole, in small letters, without the final dot. */
  readonly zone: string;
  /** What players look up, such as `play.meridian.test`. */
  readonly play: string;
  /** At least one; the first is named in the SOA. */
  readonly nameServers: readonly NameServer[];
  /** How long resolvers may keep an answer. */
  readonly ttlSeconds: number;
  /** How long they may keep that there is none. */
  readonly negativeTtlSeconds: number;
  /** Most addresses of a kind in one answer. */
  readonly answersMax: number;
}

export interface DnsRecord {
  readonly qtype: string;
  /** As it was asked for: resolvers mix capitals in, and want them back. */
  readonly qname: string;
  readonly content: string;
  readonly ttl: number;
  /** For how many bits of the client's subnet it is good; none: for everybody. */
  readonly scopeMask?: number;
}

const LABELS =
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
/** There are no secondaries, which alone would look at these. */
const SOA_SERIAL = 1;
const SOA_REFRESH_S = 3_600;
const SOA_RETRY_S = 600;
const SOA_EXPIRE_S = 86_400;

/** Whether the text is a host's name, in small letters. */
export function isHostName(text: string): boolean {
  return LABELS.test(text);
}

/** In small letters, without the final dot; also the name of a root. */
export function plainName(qname: string): string {
  return (qname.endsWith(".") ? qname.slice(0, -1) : qname).toLowerCase();
}

/** The records of a name that are the same for everybody; none of the regions' and of foreign names. */
export function zoneRecords(zone: Zone, qname: string): DnsRecord[] {
  const name = plainName(qname);
  const ttl = zone.ttlSeconds;
  if (name === zone.zone) {
    const names = zone.nameServers.map(({ host }) => ({
      qtype: "NS",
      qname,
      content: `${host}.`,
      ttl,
    }));
    // The answer that there is none may be kept as long as the lesser of the SOA's own TTL and its last number.
    const soa = { qtype: "SOA", qname, content: soaOf(zone), ttl: zone.negativeTtlSeconds };
    return [soa, ...names];
  }
  const server = zone.nameServers.find(({ host }) => host === name && isWithin(host, zone.zone));
  return (server?.addresses ?? []).map((content) => ({
    qtype: addressType(content),
    qname,
    content,
    ttl,
  }));
}

export function addressType(address: string): "A" | "AAAA" {
  return address.includes(":") ? "AAAA" : "A";
}

export function isWithin(host: string, zone: string): boolean {
  return host.endsWith(`.${zone}`);
}

function soaOf({ zone, nameServers, negativeTtlSeconds }: Zone): string {
  const first = nameServers[0]?.host ?? zone;
  const numbers = [SOA_SERIAL, SOA_REFRESH_S, SOA_RETRY_S, SOA_EXPIRE_S, negativeTtlSeconds];
  return `${first}. hostmaster.${zone}. ${numbers.join(" ")}`;
}
