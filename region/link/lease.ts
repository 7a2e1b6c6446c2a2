/**
 * The lease: for how long this node may grant seats without hearing from the core.
 *
 * It runs from the *sending* of the last answered heartbeat, so that it always ends before the core,
 * which counts from receipt, gives the region up. Monotonic time only: a jump of the wall clock
 * neither makes nor ends a lease.
 */
export interface Lease {
  /** Monotonic ms; the lease is held before that moment. */
  readonly endsAtMs: number;
}

export const NO_LEASE: Lease = { endsAtMs: Number.NEGATIVE_INFINITY };

export interface Answered {
  /** When the answered heartbeat was sent, monotonic ms. */
  readonly sentAtMs: number;
  /** As the core granted it, ms. */
  readonly leaseMs: number;
}

/** The lease after an answer; one to an older heartbeat never shortens it. */
export function renewLease(lease: Lease, { sentAtMs, leaseMs }: Answered): Lease {
  return { endsAtMs: Math.max(lease.endsAtMs, sentAtMs + leaseMs) };
}

export function leaseHeld(lease: Lease, nowMs: number): boolean {
  return nowMs < lease.endsAtMs;
}
