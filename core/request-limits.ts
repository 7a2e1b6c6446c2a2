/**
 * How many requests of the core's servers may be under way, by cap (`http/request-caps.ts`).
 *
 * What needs the database waits for one of its connections, in the order of coming: all that these caps
 * let in together may wait there (`db/database.ts`), so that no flood at one route refuses another. A
 * request takes a connection for some 2 ms, and there are ten: 128 under way are a wait of 25 ms. Nor may they
 * be much smaller, because many requests come at once when the event loop was busy.
 */
import type { CoreConfig } from "./config.ts";
import type { RequestLimits } from "./http/request-caps.ts";

export function publicLimits(config: CoreConfig): RequestLimits {
  return {
    shared: {
      // Guests and studios' identities: of these a storm consists. Within their share of the database.
      log_ins: config.LOG_INS_UNDER_WAY_MAX,
      // They wait for a core to hash on rather than for the database. Strangers are bounded at half of it
      // (`accounts/password-checks.ts`), so that there is room for those whom their accounts know.
      passwords: 256,
      refreshes: config.TOKEN_CALLS_UNDER_WAY_MAX,
      token_calls: config.TOKEN_CALLS_UNDER_WAY_MAX,
      // Whoever asks for a room that moves waits for it, 15 s at most; what follows has a gate of its own.
      joins: 4_096,
      returns: 4_096,
      // Held polls and streams have a limit of their own (`admission/calls.ts`); what is left answers at once.
      polls: 8_192,
      streams: 4_096,
      purchases: config.PURCHASE_CALLS_UNDER_WAY_MAX,
      // A file counts until its reader has it.
      files: 1_024,
    },
    others: 64,
  };
}

/** Nodes have 16 connections each and one call on each, so one node alone fills none of these. */
export const LINK_LIMITS: RequestLimits = {
  shared: {
    // As many as there may be connections: a refused heartbeat costs a lease.
    heartbeats: 1_000,
    // They wait for the player's former owner, 10 s at most; what follows has a gate of its own.
    loads: 1_000,
  },
  others: 256,
};

export const PRIVATE_LIMITS: RequestLimits = { shared: {}, others: 32 };
