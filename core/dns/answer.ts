/**
 * What a query gets. Pure: from the view of the regions, the query and a die to records. Resolvers and the
 * players behind them are placed as players of a join are, and ranked by the same code.
 *
 * The best region's addresses are given, and those of regions that nobody could tell from it (`EQUAL_MS`),
 * drawn and ordered by the operator's weights. No further ones: whoever takes the second address of an
 * answer, as some clients do, must not be sent across the world for it; a region that can't be reached is
 * out of the answers soon enough.
 */
import type { RegionId } from "../../shared/ids.ts";
import { asWaitable, type Candidate } from "../gslb/candidates.ts";
import type { Place } from "../gslb/geo-locator.ts";
import { onSphere } from "../gslb/great-circle.ts";
import { type Ranked, rank } from "../gslb/ranking.ts";
import { clientSubnet } from "./client-subnet.ts";
import type { DnsView } from "./view.ts";
import { addressType, type DnsRecord, plainName, type Zone, zoneRecords } from "./zone.ts";

/** Regions that are this near to the best one's score, ms, are as good as it. */
export const EQUAL_MS = 5;
const TYPES = ["A", "AAAA"] as const;
const NO_REGION = '"no region takes players"';

export interface DnsQuery {
  readonly qname: string;
  readonly qtype: string;
  /** The address of whoever asks: mostly a resolver. */
  readonly remote: string;
  /** The subnet of whom it asks for, as `address/prefix`. */
  readonly realRemote?: string | undefined;
}

/** A view that is ready to be ranked; made once for many queries. */
export interface Regions {
  readonly core: DnsView["core"];
  readonly candidates: readonly Candidate[];
  /** The same as if those that are full had seats. */
  readonly waitable: readonly Candidate[];
  readonly addresses: ReadonlyMap<RegionId, Addresses>;
}

export interface Answering {
  readonly zone: Zone;
  /** Undefined as long as nothing was heard of them. */
  readonly regions: Regions | undefined;
  readonly locate: (address: string) => Place;
  /** From 0 to 1, exclusive. */
  readonly random: () => number;
}

export interface Answer {
  /**
   * `regions`: where to play; `fixed`: of the zone itself; `none`: there is no such name or record;
   * `full`: none has a seat, and where to wait for one; `closed`: no region takes players; `unknown`: no view yet, so that nothing true can be said.
   */
  readonly outcome: "regions" | "full" | "fixed" | "none" | "closed" | "unknown";
  readonly records: readonly DnsRecord[];
}

interface Addresses {
  readonly A: readonly string[];
  readonly AAAA: readonly string[];
}

export function regionsOf({ core, regions }: DnsView): Regions {
  const candidates = regions.map(({ regionId, weight, obstacle, full, loadMs, ...place }) => ({
    regionId,
    point: onSphere(place),
    weight,
    obstacle: obstacle ?? undefined,
    full,
    // What both come to is in the load already.
    fullness: 0,
    utilisation: 0,
    loadMs,
  }));
  const addresses = regions.map(({ regionId, addresses }): [RegionId, Addresses] => {
    const of = (type: string) => addresses.filter((address) => addressType(address) === type);
    return [regionId, { A: of("A"), AAAA: of("AAAA") }];
  });
  return { core, candidates, waitable: asWaitable(candidates), addresses: new Map(addresses) };
}

/** PowerDNS asks for `ANY` and takes what it needs; of another type only that type is given. */
export function answer(query: DnsQuery, answering: Answering): Answer {
  const { zone, regions } = answering;
  const wants = (type: string) => query.qtype === "ANY" || query.qtype === type;
  if (plainName(query.qname) !== zone.play) {
    const records = zoneRecords(zone, query.qname).filter(({ qtype }) => wants(qtype));
    return { outcome: records.length > 0 ? "fixed" : "none", records };
  }
  if (!wants("A") && !wants("AAAA")) return { outcome: "none", records: [] };
  if (!regions) return { outcome: "unknown", records: [] };
  return regionAnswer(query, { ...answering, regions }, wants);
}

function regionAnswer(
  query: DnsQuery,
  { zone, regions, locate, random }: Answering & { readonly regions: Regions },
  wants: (type: string) => boolean,
): Answer {
  const { address, scope } = clientSubnet(query.remote, query.realRemote);
  const found = locate(address);
  const place = found.source === "default" ? regions.core : found;
  const best = (candidates: readonly Candidate[]) =>
    rank(candidates, { place }).filter(
      ({ eligible, candidate }) =>
        eligible && TYPES.some((qtype) => listOf(regions, candidate, qtype).length > 0),
    );
  const seats = best(regions.candidates);
  // Where every seat is taken there is a queue: players are let in from there in turn.
  const open = seats.length > 0 ? seats : best(regions.waitable);
  const outcome = seats.length > 0 ? "regions" : open.length > 0 ? "full" : "closed";
  const records: DnsRecord[] = [];
  for (const qtype of TYPES) {
    if (!wants(qtype)) continue;
    const having = open.filter(({ candidate }) => listOf(regions, candidate, qtype).length > 0);
    const lists = drawn(asGoodAsFirst(having), random).map((candidate) =>
      rotated(listOf(regions, candidate, qtype), random),
    );
    for (const content of inTurn(lists, zone.answersMax)) {
      const { qname } = query;
      records.push({ qtype, qname, content, ttl: zone.ttlSeconds, scopeMask: scope });
    }
  }
  if (records.length > 0) return { outcome, records };
  // A name without any record would be none at all, which resolvers take for the other types as well.
  const { qname } = query;
  if (wants("TXT"))
    records.push({ qtype: "TXT", qname, content: NO_REGION, ttl: zone.negativeTtlSeconds });
  return { outcome, records };
}

function listOf(regions: Regions, { regionId }: Candidate, type: "A" | "AAAA"): readonly string[] {
  return regions.addresses.get(regionId)?.[type] ?? [];
}

function asGoodAsFirst(ranked: readonly Ranked[]): Candidate[] {
  const [best] = ranked;
  if (!best) return [];
  const good = ranked.filter(({ score }) => score <= best.score + EQUAL_MS);
  return good.map(({ candidate }) => candidate);
}

/**
 * All of them in a random order, in which each comes next with a chance in proportion to its weight:
 * Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006), in its exponential form.
 */
function drawn(candidates: readonly Candidate[], random: () => number): readonly Candidate[] {
  if (candidates.length < 2) return candidates;
  return candidates
    .map((candidate) => ({ candidate, key: -Math.log(1 - random()) / candidate.weight }))
    .sort((a, b) => a.key - b.key)
    .map(({ candidate }) => candidate);
}

/** From a random one on: no address of a region is asked more than the others. */
function rotated(list: readonly string[], random: () => number): readonly string[] {
  if (list.length < 2) return list;
  const first = Math.floor(random() * list.length);
  return [...list.slice(first), ...list.slice(0, first)];
}

/** The first of each list, then the second of each, and so on. */
function inTurn(lists: readonly (readonly string[])[], most: number): string[] {
  const taken: string[] = [];
  const longest = Math.max(0, ...lists.map((list) => list.length));
  for (let index = 0; index < longest; index += 1) {
    for (const list of lists) {
      const address = list[index];
      if (address !== undefined && taken.length < most) taken.push(address);
    }
  }
  return taken;
}
