/** The settings of the responder beside a name server. Nothing but `main.ts` reads the environment. */
import { isIP } from "node:net";
import { z } from "zod";
import { as, type Settings, type Values } from "../../shared/config.ts";
import { linkSettings } from "../../shared/link/credentials.ts";
import { coreSettings } from "../config.ts";
import { isHostName, isWithin, type NameServer, type Zone } from "./zone.ts";

const NAME_SERVERS_MAX = 8;
const ANSWERS_MAX = 16;
const TTL_SECONDS_MAX = 86_400;

const hostName = z
  .string()
  .transform((text) => text.toLowerCase().replace(/\.$/, ""))
  .refine(isHostName, "not a name of letters, digits, '-' and '.'");
const label = hostName.refine((text) => !text.includes("."), "one name without a dot");
const seconds = z.coerce.number().int().positive().max(TTL_SECONDS_MAX);

interface NamedServer {
  /** A label of the zone, or a whole name of another zone. */
  readonly name: string;
  readonly addresses: readonly string[];
}

const nameServers = z.string().transform((text, context): NamedServer[] => {
  const entries = text.split(";").map((entry) => entry.trim());
  const given = entries.filter((entry) => entry !== "");
  const servers = given.map(nameServerOf);
  const wrong = given.find((_, index) => servers[index] === undefined);
  if (wrong !== undefined) {
    context.addIssue({ code: "custom", message: `"${wrong}" is not NAME=ADDRESS,ADDRESS` });
  } else if (servers.length === 0 || servers.length > NAME_SERVERS_MAX) {
    context.addIssue({ code: "custom", message: `needs one to ${NAME_SERVERS_MAX} name servers` });
  }
  return servers.flatMap((server) => server ?? []);
});

export const dnsSettings = {
  DNS_ZONE: {
    schema: hostName,
    default: "meridian.test",
    description: "The zone that the name server answers for.",
  },
  DNS_NAME: {
    schema: label,
    default: "play",
    description: "The name in it that players look up.",
  },
  DNS_NAME_SERVERS: {
    schema: nameServers,
    default: "ns1=127.0.0.1",
    description:
      "The zone's name servers, separated by `;`: a name of the zone with its addresses, such as " +
      "`ns1=192.0.2.53,2001:db8::53`, or a whole name of another zone without any.",
  },
  DNS_TTL_SECONDS: {
    schema: seconds,
    default: "20",
    description: "How long resolvers may keep an answer: a lost region stays there for so long.",
  },
  DNS_NEGATIVE_TTL_SECONDS: {
    schema: seconds,
    default: "5",
    description: "How long they may keep that there is no answer.",
  },
  DNS_ANSWERS_MAX: {
    schema: z.coerce.number().int().positive().max(ANSWERS_MAX),
    default: "3",
    description: "Most addresses of a kind in one answer.",
  },
  DNS_SOCKET: {
    schema: as.text,
    default: "/run/meridian-dns/responder.sock",
    description: "The unix socket on which PowerDNS asks; 103 bytes at most.",
  },
  DNS_VIEW_FILE: {
    schema: as.text,
    default: "/var/lib/meridian-dns/view.json",
    description: "File that keeps what the core said last, for a start while it is away.",
  },
  DNS_PRIVATE_HOST: {
    schema: as.text,
    default: "127.0.0.1",
    description: "Address of the operators' port: health, readiness, metrics.",
  },
  DNS_PRIVATE_PORT: { schema: as.port, default: "7354", description: "The operators' port." },
  CORE_LINK_ADDRESS: { schema: as.text, description: "`host:port` of the core's link." },
  ...linkSettings,
  GEO_OVERRIDES: coreSettings.GEO_OVERRIDES,
  GEO_OVERRIDES_FILE: coreSettings.GEO_OVERRIDES_FILE,
  LOG_LEVEL: coreSettings.LOG_LEVEL,
} satisfies Settings;

export type DnsConfig = Values<typeof dnsSettings>;

/** @throws one line when the name servers and the zone do not go together */
export function zoneOf(config: DnsConfig): Zone {
  const { DNS_ZONE: zone } = config;
  return {
    zone,
    play: `${config.DNS_NAME}.${zone}`,
    nameServers: config.DNS_NAME_SERVERS.map((server) => hostIn(zone, server)),
    ttlSeconds: config.DNS_TTL_SECONDS,
    negativeTtlSeconds: config.DNS_NEGATIVE_TTL_SECONDS,
    answersMax: config.DNS_ANSWERS_MAX,
  };
}

function hostIn(zone: string, { name, addresses }: NamedServer): NameServer {
  const host = name.includes(".") ? name : `${name}.${zone}`;
  const ours = isWithin(host, zone);
  if (ours && addresses.length === 0) {
    throw new Error(`DNS_NAME_SERVERS: ${host} is of the zone itself and needs its addresses`);
  }
  if (!ours && addresses.length > 0) {
    throw new Error(`DNS_NAME_SERVERS: ${host} is not of ${zone}, which can't say its addresses`);
  }
  return { host, addresses };
}

function nameServerOf(entry: string): NamedServer | undefined {
  const [nameText = "", ...more] = entry.split("=");
  const name = hostName.safeParse(nameText.trim());
  const list = more.join("=").split(",");
  const addresses = list.map((address) => address.trim()).filter((address) => address !== "");
  if (!name.success || !addresses.every((address) => isIP(address) !== 0)) return undefined;
  return { name: name.data, addresses };
}
