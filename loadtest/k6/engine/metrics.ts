/**
 * What the scripts measure besides k6's own metrics. The names are a contract: `npm run load` plots them.
 *
 * A failure is something that a right server never does. Each has a kind, is counted under it, and told in words a
 * few times a process; every scenario demands that there are none.
 */
import { Counter, Gauge, Trend } from "k6/metrics";

export type FailureKind =
  /** The core refused the log-in for good, or for too long. */
  | "log_in_failed"
  /** A refusal for now that does not say when to come back. */
  | "impolite"
  /** No seat for somebody who should have got one. */
  | "join_failed"
  /** A frame that can't be decoded. */
  | "bad_frame"
  /** The decoded state breaks a rule of the game. */
  | "wrong_state"
  /** Somebody moved faster than one can. */
  | "too_fast"
  /** The room's own time went backwards, or stood still. */
  | "clock"
  /** An input was sent, and the state never showed it. */
  | "input_lost"
  /** The wallet has less than the room said is the player's. */
  | "coin_lost"
  /** A balance fell, though nothing was spent. */
  | "wallet_fell"
  /** A connection ended for good without a reason, or nothing more was heard. */
  | "cut_off"
  /** Whoever lost their region did not come back into the room. */
  | "not_resumed"
  /** Somebody was called out of turn. */
  | "queue_inversion"
  /** Somebody who was called, or had a ticket, got no seat. */
  | "refused_after_admitted"
  /** Somebody's place went back. */
  | "position_rose"
  | "wrong_answer"
  | "no_answer"
  /** The script itself is wrong. */
  | "script";

export type Tags = Readonly<Record<string, string>>;

/** Told in words, of one process. */
const WORDS_MAX = 20;

export const metrics = {
  /** Playing now, of one VU. */
  players: new Gauge("players"),
  logInMs: new Trend("login_ms", true),
  /** From the join to one's own entity in the decoded state. */
  joinMs: new Trend("join_ms", true),
  /** From an input to the decoded state that shows it. */
  inputEchoMs: new Trend("input_echo_ms", true),
  /** From the last frame before a break to one's own entity, and an input of the new connection in it. */
  downtimeMs: new Trend("downtime_ms", true),
  queuePosition: new Trend("queue_position"),
  queueLength: new Gauge("queue_length"),
  failures: new Counter("failures"),
  /** Of those who play while others come at ten times the rate. */
  spikeEchoMs: new Trend("spike_echo_ms", true),
  loggedIn: new Counter("players_logged_in"),
  /** Places in a queue that were given. */
  queued: new Counter("players_queued"),
  /** Refusals that say when to come back: what a server that is full should do. */
  politeRefusals: new Counter("polite_refusals"),
  inputsSent: new Counter("inputs_sent"),
  patchesSeen: new Counter("patches_seen"),
  patchesDecoded: new Counter("patches_decoded"),
  /** Players who came to the end of what they had to do. */
  finished: new Counter("players_finished"),
  moved: new Counter("players_moved"),
  /** How long frames waited in the generator before they were read: the longest of each second. */
  generatorLagMs: new Trend("generator_lag_ms", true),
  lookUpMs: new Trend("look_up_ms", true),
} as const;

/** What is counted so often that k6 is told only once a second, by region. */
type Often = "inputsSent" | "patchesSeen" | "patchesDecoded";
const counted = new Map<string, Record<Often, number>>();

export function count(what: Often, region: string): void {
  let counts = counted.get(region);
  if (!counts) {
    counts = { inputsSent: 0, patchesSeen: 0, patchesDecoded: 0 };
    counted.set(region, counts);
  }
  counts[what] += 1;
}

let lagMs = 0;

export function noteLag(ms: number): void {
  if (ms > lagMs) lagMs = ms;
}

/** Tells k6 what was counted since. */
export function tellCounts(): void {
  metrics.generatorLagMs.add(lagMs);
  lagMs = 0;
  for (const [region, { inputsSent, patchesSeen, patchesDecoded }] of counted) {
    metrics.inputsSent.add(inputsSent, { region });
    metrics.patchesSeen.add(patchesSeen, { region });
    metrics.patchesDecoded.add(patchesDecoded, { region });
  }
  counted.clear();
}

let told = 0;

export function failed(kind: FailureKind, words: string, tags: Tags = {}): void {
  metrics.failures.add(1, { ...tags, kind });
  if (told < WORDS_MAX) console.error(`${kind}: ${words}`);
  told += 1;
}

/**
 * Once before the run: a threshold on a counter that nothing was ever added to is passed, so that a run in which
 * nothing happens would be.
 */
export function beginAtZero(): void {
  for (const metric of Object.values(metrics)) {
    if (metric instanceof Counter) metric.add(0);
  }
}
