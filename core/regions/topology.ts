/**
 * What a topology file says: which regions there are, where, how they are reached, and what an operator
 * plans for each. `docs/topology.md` describes it for people.
 */
import { readFileSync, statSync } from "node:fs";
import { isIP, SocketAddress } from "node:net";
import { z } from "zod";
import { RegionId } from "../../shared/ids.ts";
import { HostPort, PEERS_MAX } from "../../shared/protocol/link.ts";
import { printableText } from "../../shared/protocol/text.ts";

const REGIONS_MAX = PEERS_MAX;
const PUBLIC_ADDRESSES_MAX = 16;
const LABELS_MAX = 16;
/** As many as the core knows of one region. */
const NODES_MAX = 64;
const URL_CHARACTERS_MAX = 2_048;
const PORT_MAX = 65_535;
/** 64 regions with everything that they can say take a tenth of it. */
const FILE_BYTES_MAX = 1024 * 1024;
/** More would not be read by anybody in one line. */
const PROBLEMS_TOLD_MAX = 10;

const place = {
  /** For people, for example "Beijing". */
  name: printableText(64),
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
};

/** In the one way of writing it, so that the same address is the same text. */
const IpAddress = z
  .string()
  .refine((text) => isIP(text) !== 0 && !text.includes("%"), "not an IPv4 or IPv6 address")
  .transform((address) => {
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    return new SocketAddress({ address, family }).address;
  });

const LinkAddress = HostPort.refine((text) => {
  const port = Number(text.slice(text.lastIndexOf(":") + 1));
  return port >= 1 && port <= PORT_MAX;
}, `a port from 1 to ${PORT_MAX}`);

const Labels = z
  .record(
    z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "a label's name: a-z, 0-9 and '-', 32 at most"),
    printableText(64),
  )
  .refine((labels) => Object.keys(labels).length <= LABELS_MAX, `${LABELS_MAX} labels at most`);

const PlayUrl = z
  .string()
  .max(URL_CHARACTERS_MAX)
  .refine(isPlayUrl, "not an absolute http or https URL, without a user or a fragment");

export const RegionSpec = z.strictObject({
  /** Plain objects are kept by it, where `constructor` would find what every object has. */
  id: RegionId.refine((id) => !(id in Object.prototype), "a name that every object has"),
  ...place,
  /** Players that the region is planned for; what its nodes report decides. */
  capacity: z.number().int().positive(),
  /** Above 1 draws players to it, below 1 sends them elsewhere: load costs it less, or more. */
  weight: z.number().positive().max(100).default(1),
  /** What the name server answers for this region. */
  publicAddresses: z.array(IpAddress).max(PUBLIC_ADDRESSES_MAX).default([]),
  /** Where other regions reach its link, if not at the address that its nodes tell the core. */
  privateAddress: LinkAddress.optional(),
  /** What is planned. An operator's `drain` and this one both drain it; a fence wins over either. */
  state: z.enum(["active", "draining"]).default("active"),
  /** For people and their tools; nothing here reads them. */
  labels: Labels.default({}),
  /** Where its players go first when it is lost, in this order; absent: the nearest regions. */
  neighbours: z
    .array(RegionId)
    .min(1, "leave it out, and the nearest regions are its neighbours")
    .max(REGIONS_MAX)
    .optional(),
  /** How many nodes it may be told to run (`docs/scaling.md`); absent: what the core's settings say. */
  nodes: z
    .strictObject({
      min: z.number().int().min(1).max(NODES_MAX),
      max: z.number().int().min(1).max(NODES_MAX),
    })
    .refine(({ min, max }) => min <= max, "min is above max")
    .optional(),
  /** Where `GET /play` sends players of this region. */
  playUrl: PlayUrl.optional(),
});
export type RegionSpec = z.infer<typeof RegionSpec>;

export const Topology = z
  .strictObject({
    core: z.strictObject(place),
    regions: z.array(RegionSpec).min(1).max(REGIONS_MAX),
  })
  .superRefine(({ regions }, context) => {
    for (const { path, message } of contradictions(regions)) {
      context.addIssue({ code: "custom", path: ["regions", ...path], message });
    }
  });
export type Topology = z.infer<typeof Topology>;

/** @throws one line that names the file and what is wrong in it */
export function loadTopology(path: string): Topology {
  const parsed = Topology.safeParse(contentOf(path));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap(problemsOf);
  const untold = problems.length - PROBLEMS_TOLD_MAX;
  const told = problems.slice(0, PROBLEMS_TOLD_MAX).join("; ");
  const more = untold > 0 ? `; and ${untold} more` : "";
  throw new Error(`the topology file ${path} is wrong: ${told}${more}`);
}

interface Contradiction {
  /** Below `regions`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What no region alone can get wrong. */
function contradictions(regions: readonly RegionSpec[]): Contradiction[] {
  const found: Contradiction[] = [];
  const ids = new Set<RegionId>();
  const holders = new Map<string, RegionId>();
  for (const [index, { id, publicAddresses }] of regions.entries()) {
    if (ids.has(id)) found.push({ path: [index, "id"], message: `"${id}" is there twice` });
    ids.add(id);
    for (const [n, address] of publicAddresses.entries()) {
      const holder = holders.get(address);
      const path = [index, "publicAddresses", n];
      if (holder === undefined) holders.set(address, id);
      else found.push({ path, message: `${address} is one of "${holder}" already` });
    }
  }
  const neighbours = regions.flatMap((region, index) => wrongNeighbours(region, index, ids));
  return [...found, ...neighbours];
}

function wrongNeighbours(
  { id, neighbours = [] }: RegionSpec,
  index: number,
  ids: ReadonlySet<RegionId>,
): Contradiction[] {
  return neighbours.flatMap((neighbour, n) => {
    const path = [index, "neighbours", n];
    if (!ids.has(neighbour)) return [{ path, message: `there is no region "${neighbour}"` }];
    if (neighbour === id) return [{ path, message: "a region is no neighbour of itself" }];
    if (neighbours.indexOf(neighbour) < n) return [{ path, message: `"${neighbour}" again` }];
    return [];
  });
}

function isPlayUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  const web = protocol === "http:" || protocol === "https:";
  return web && /^https?:\/\//i.test(text) && username === "" && password === "" && hash === "";
}

function contentOf(path: string): unknown {
  try {
    const found = statSync(path);
    if (!found.isFile()) throw new Error("it is no file");
    if (found.size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`can't read the topology file ${path}: ${why}`, { cause });
  }
}

/** A key that nobody knows is a problem at that key, not at the object that has it. */
function problemsOf(issue: z.core.$ZodIssue): string[] {
  const at = (path: readonly PropertyKey[], message: string) =>
    `${path.map(String).join(".") || "it"}: ${message}`;
  if (issue.code !== "unrecognized_keys") return [at(issue.path, issue.message)];
  return issue.keys.map((key) => at([...issue.path, key], "there is no such field"));
}
