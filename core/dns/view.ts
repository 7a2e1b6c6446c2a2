/**
 * What a responder beside a name server knows of the regions: enough to decide each query by itself, with
 * the ranking that joins use. The core makes it (`view-polls.ts`) and a responder keeps it (`view-keeper.ts`).
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { RegionId } from "../../shared/ids.ts";
import type { Candidate } from "../gslb/candidates.ts";
import type { RegistryState } from "../regions/registry-step.ts";

/** Where a responder asks for it, on the core's link. */
export const DNS_VIEW_PATH = "/dns/view";
/** How long the core lets a question wait that has the view already, ms. */
export const VIEW_WAIT_MS = 5_000;

const REGIONS_MAX = 256;
const ADDRESSES_PER_REGION_MAX = 64;
const VERSION_CHARACTERS = 16;

const latitude = z.number().min(-90).max(90);
const longitude = z.number().min(-180).max(180);

const ViewRegion = z.object({
  regionId: RegionId,
  latitude,
  longitude,
  /** The operator's. */
  weight: z.number().positive(),
  /** Why it takes nobody; null when it does. */
  obstacle: z.string().max(256).nullable(),
  /** Whether want of seats is all that is in the way; a core of before never says so. */
  full: z.boolean().default(false),
  /** What its load costs, in ms of latency. */
  loadMs: z.number().nonnegative(),
  /** IPv4 and IPv6, of its players' side. */
  addresses: z.array(z.union([z.ipv4(), z.ipv6()])).max(ADDRESSES_PER_REGION_MAX),
});
export type ViewRegion = z.infer<typeof ViewRegion>;

export const DnsView = z.object({
  /** Another one whenever anything below is different. */
  version: z.string().min(1).max(64),
  /** The core's place, where those count whom nobody can place. */
  core: z.object({ latitude, longitude }),
  regions: z.array(ViewRegion).max(REGIONS_MAX),
});
export type DnsView = z.infer<typeof DnsView>;

export const DnsViewRequest = z.object({
  /** The version that the responder has; without one it is answered as soon as there is a view. */
  after: z.string().max(64).optional(),
});
export type DnsViewRequest = z.infer<typeof DnsViewRequest>;

export interface ViewSource {
  readonly core: DnsView["core"];
  readonly regions: RegistryState;
  /** One for each region. */
  readonly candidates: readonly Candidate[];
}

/** The view of these regions. Pure; the load is rounded, so that not every heartbeat makes a new version. */
export function viewOf({ core, regions, candidates }: ViewSource): DnsView {
  const viewed = candidates.flatMap(({ regionId, weight, obstacle = null, full, loadMs }) => {
    const spec = regions.get(regionId)?.spec;
    if (!spec) return [];
    const { latitude, longitude, publicAddresses: addresses } = spec;
    const load = Math.round(loadMs);
    return [{ regionId, latitude, longitude, weight, obstacle, full, loadMs: load, addresses }];
  });
  const content = {
    core: { latitude: core.latitude, longitude: core.longitude },
    regions: viewed,
  };
  const hash = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  return { version: hash.slice(0, VERSION_CHARACTERS), ...content };
}
