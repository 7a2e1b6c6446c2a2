/**
 * How much of a standby's places and bytes each region's copies take: half of either at most, so that no region can
 * take the others' protection away.
 */
import { type NodeId, type RegionId, regionOfNode } from "../../shared/ids.ts";

/** Of each limit, for the nodes of one region. */
const REGION_SHARE = 0.5;

export interface CopyLimits {
  readonly roomsMax: number;
  readonly bytesMax: number;
}

/** Whose region counts: of the node that brought the copy. */
export interface Brought {
  readonly ofNode: NodeId;
  readonly passedBy: RegionId | undefined;
}

interface Share {
  readonly copies: number;
  readonly bytes: number;
}
const NONE: Share = { copies: 0, bytes: 0 };

export class CopyShares {
  readonly #limits: CopyLimits;
  readonly #shares = new Map<RegionId, Share>();
  #total = NONE;

  constructor(limits: CopyLimits) {
    this.#limits = limits;
  }

  get heldBytes(): number {
    return this.#total.bytes;
  }

  get copiesPerRegionMax(): number {
    return Math.ceil(this.#limits.roomsMax * REGION_SHARE);
  }

  /** Whether all bytes are taken, and more. */
  get over(): boolean {
    return this.#total.bytes > this.#limits.bytesMax;
  }

  /** The region whose copies hold most bytes. */
  get heaviest(): RegionId | undefined {
    return [...this.#shares].toSorted(([, a], [, b]) => b.bytes - a.bytes)[0]?.[0];
  }

  account(copy: Brought, change: Share): void {
    const regionId = broughtBy(copy);
    const share = sum(this.#shares.get(regionId) ?? NONE, change);
    if (share.copies > 0) this.#shares.set(regionId, share);
    else this.#shares.delete(regionId);
    this.#total = sum(this.#total, change);
  }

  /** For one more copy of so many bytes. */
  hasPlace(copy: Brought, bytes: number): boolean {
    const { roomsMax, bytesMax } = this.#limits;
    if (this.#total.copies >= roomsMax || this.#total.bytes + bytes > bytesMax) return false;
    const share = this.#shares.get(broughtBy(copy)) ?? NONE;
    if (share.copies >= this.copiesPerRegionMax) return false;
    return share.bytes + bytes <= bytesMax * REGION_SHARE;
  }

  /** Whether that copy's region has more bytes than one region may. */
  isOver(copy: Brought): boolean {
    const share = this.#shares.get(broughtBy(copy)) ?? NONE;
    return share.bytes > this.#limits.bytesMax * REGION_SHARE;
  }
}

export function broughtBy({ passedBy, ofNode }: Brought): RegionId {
  return passedBy ?? regionOfNode(ofNode);
}

function sum(a: Share, b: Share): Share {
  return { copies: a.copies + b.copies, bytes: a.bytes + b.bytes };
}
