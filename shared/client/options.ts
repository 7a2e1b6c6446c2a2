/** What can be asked of the client. */
import type { Clock } from "../clock.ts";
import type { JoinMode } from "../protocol/join.ts";
import type { Fetch } from "./api.ts";
import type { RetryBudget } from "./backoff.ts";
import type { Arrival, Connection } from "./connection.ts";
import type { KeyValueStorage } from "./storage.ts";

export interface MeridianOptions {
  /** The core's, such as `http://127.0.0.1:7300`. */
  readonly url: string;
  /** Keeps the guest on this device for later visits; else each tab is its own guest. */
  readonly remember?: boolean;
  /** Where the guest's secret and what was measured are kept instead. */
  readonly storage?: KeyValueStorage;
  /** How long a log-in may be tried. */
  readonly logInBudget?: RetryBudget;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface JoinOptions {
  /** What the game's own code receives. */
  readonly options?: Record<string, unknown>;
  /** Insists on one region. */
  readonly region?: string;
  /** Regions that do not come into question; 8 at most. */
  readonly avoid?: readonly string[];
  readonly mode?: JoinMode;
  /** With mode `joinById`. */
  readonly roomId?: string;
  /** Ids of players whose region is preferred; 16 at most. */
  readonly friends?: readonly string[];
  /** Ids of the others of the party; 15 at most. The region suits its worst placed member. */
  readonly party?: readonly string[];
  /**
   * Told of every state from the first on. Before the join is over, the `arrival` is there to leave a queue,
   * and to accept and decline offers.
   */
  readonly onConnection?: (connection: Connection, arrival: Arrival) => void;
  /** Whether to wait in a queue where every seat is taken; without, the join fails as `queued`. */
  readonly mayQueue?: boolean;
  /** Leaves, also while it waits: the join then fails as `caller_gone`. */
  readonly signal?: AbortSignal;
  /** Loads what the game needs once the seat is certain; the seat is kept meanwhile. */
  readonly prepare?: () => Promise<void>;
}

export interface RouteOptions {
  readonly game?: string;
  /** Insists on one region. */
  readonly region?: string;
  /** Whether round trips are measured first, unless they are known; else distances count. */
  readonly measured?: boolean;
}
