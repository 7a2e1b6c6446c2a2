/**
 * The responder's side of the view: follows the core by one waiting call after the other, and keeps what it
 * heard last, in memory and in a file. With the core away it stays as it is, however old: a region that
 * may have been lost since is a better answer than none, and clients that reach nobody there ask the core.
 */
import type { Logger } from "pino";
import { backoffMs } from "../../shared/client/backoff.ts";
import { type Cancel, type Clock, sleep } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { type Regions, regionsOf } from "./answer.ts";
import { DNS_VIEW_PATH, DnsView, VIEW_WAIT_MS } from "./view.ts";
import { readViewFile, writeViewFile } from "./view-file.ts";

/** What an answer may take beyond the wait. */
const ANSWER_MS = 2_500;
const DEADLINE_MS = VIEW_WAIT_MS + ANSWER_MS;
const RETRY = { firstMs: 250, mostMs: 2_000 };
/** Without a word of the core for so long, the view counts as kept. */
export const LIVE_MS = 10_000;
const CHECK_MS = 1_000;
/** At most one write in this: loads change all the time. */
const SAVE_DELAY_MS = 1_000;
/** What could not be written, as on a full disk, is tried again even if nothing changes. */
export const SAVE_RETRY_MS = 10_000;
const MS_PER_SECOND = 1_000;

export interface ViewKeeperOptions {
  readonly client: LinkClient;
  /** `host:port` of the core's link. */
  readonly coreAddress: string;
  readonly file: string;
  readonly clock: Clock;
  /** From 0 to 1, exclusive. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface ViewStatus {
  /** `live`: as the core says; `kept`: as it said last; `none`: it never said anything. */
  readonly view: "live" | "kept" | "none";
  readonly version: string | null;
  /** Since the core's last word, ms. */
  readonly ageMs: number | null;
}

export class ViewKeeper implements Part {
  readonly name = "view of the regions";
  readonly #options: ViewKeeperOptions;
  readonly #polls: Counter<"outcome">;
  readonly #unsaved: Counter;
  readonly #abort = new AbortController();
  #view: DnsView | undefined;
  #regions: Regions | undefined;
  /** When the core spoke last: monotonic ms, below zero for a time before this process. */
  #heardMs = 0;
  #live = false;
  #following: Promise<void> = Promise.resolve();
  #cancelCheck: Cancel = () => {};
  #cancelSave: Cancel | undefined;
  /** Once until it goes well again: loads change every second. */
  #unsavedTold = false;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: ViewKeeperOptions) {
    const { metrics } = options;
    this.#options = options;
    this.#polls = new Counter({
      name: "meridian_dns_view_polls_total",
      help: "Questions to the core for its view of the regions: changed, unchanged, failed.",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    this.#unsaved = new Counter({
      name: "meridian_dns_view_saves_failed_total",
      help: "Views that could not be written to their file.",
      registers: [metrics],
    });
    const status = () => this.status();
    new Gauge({
      name: "meridian_dns_view_live_up",
      help: "1 while the view is as the core says, 0 while it is kept or there is none.",
      registers: [metrics],
      collect() {
        this.set(status().view === "live" ? 1 : 0);
      },
    });
    new Gauge({
      name: "meridian_dns_view_age_seconds",
      help: "How long ago the core spoke last; -1 when it never did.",
      registers: [metrics],
      collect() {
        const { ageMs } = status();
        this.set(ageMs === null ? -1 : ageMs / MS_PER_SECOND);
      },
    });
  }

  /** Does not wait for the core: what is in the file answers already. */
  start(): void {
    const { clock } = this.#options;
    this.#readFile();
    this.#cancelCheck = clock.every(CHECK_MS, () => this.#check());
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancelCheck();
    await this.#options.client.stop();
    await this.#following;
    if (this.#cancelSave) this.#save();
    await this.#saving;
  }

  /** Undefined until something was heard of them. */
  get regions(): Regions | undefined {
    return this.#regions;
  }

  status(): ViewStatus {
    if (!this.#view) return { view: "none", version: null, ageMs: null };
    const ageMs = Math.round(this.#options.clock.monotonicMs() - this.#heardMs);
    return { view: this.#live ? "live" : "kept", version: this.#view.version, ageMs };
  }

  async #follow(): Promise<void> {
    const { client, coreAddress, clock, random } = this.#options;
    const { signal } = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const view = await client.call({
          address: coreAddress,
          peer: { role: "core" },
          path: DNS_VIEW_PATH,
          // After a silence the core is asked for a word at once, not for a change.
          body: { after: this.#live ? this.#view?.version : undefined },
          answer: DnsView,
          deadlineMs: DEADLINE_MS,
        });
        failures = 0;
        this.#take(view);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        this.#failed(error, failures);
        const retryAfterMs = isFailure(error) ? error.retryAfterMs : undefined;
        await sleep(clock, backoffMs(failures, RETRY, random(), retryAfterMs), signal);
      }
    }
  }

  #take(view: DnsView): void {
    const { clock, log } = this.#options;
    const changed = view.version !== this.#view?.version;
    this.#polls.inc({ outcome: changed ? "changed" : "unchanged" });
    this.#heardMs = clock.monotonicMs();
    if (!this.#live) log.info({ version: view.version }, "the view is as the core says");
    this.#live = true;
    if (!changed) return;
    this.#view = view;
    this.#regions = regionsOf(view);
    this.#cancelSave ??= clock.after(SAVE_DELAY_MS, () => this.#save());
  }

  #failed(err: unknown, failures: number): void {
    this.#polls.inc({ outcome: "failed" });
    // One in between is a core that restarts; how long it lasts is what `#check` tells of.
    if (failures !== 1) return;
    const { log } = this.#options;
    log.warn({ err, runbook: "dns-view-stale" }, "the core did not tell its view of the regions");
  }

  #check(): void {
    const { clock, log } = this.#options;
    if (!this.#live || clock.monotonicMs() - this.#heardMs < LIVE_MS) return;
    this.#live = false;
    log.error(
      { ...this.status(), runbook: "dns-view-stale" },
      "the view is stale: answers stay as they were",
    );
  }

  #readFile(): void {
    const { file, clock, log } = this.#options;
    const found = readViewFile(file);
    if (!found) return;
    if ("problem" in found) {
      const { problem } = found;
      log.warn({ file, problem, runbook: "dns-view-stale" }, "the kept view can't be used");
      return;
    }
    this.#view = found.view;
    this.#regions = regionsOf(found.view);
    const ageMs = Math.max(0, clock.nowMs() - found.heardMs);
    this.#heardMs = clock.monotonicMs() - ageMs;
    log.info({ file, ageMs }, "begins with the view that was kept");
  }

  #save(): void {
    const { file, clock, log } = this.#options;
    const view = this.#view;
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    if (!view) return;
    const heardMs = clock.nowMs();
    this.#saving = this.#saving
      .then(async () => {
        await writeViewFile(file, { heardMs, view });
        this.#unsavedTold = false;
      })
      .catch((err: unknown) => {
        this.#unsaved.inc();
        // Not when it stops: that was the last try.
        if (!this.#abort.signal.aborted) {
          this.#cancelSave ??= clock.after(SAVE_RETRY_MS, () => this.#save());
        }
        if (this.#unsavedTold) return;
        this.#unsavedTold = true;
        log.warn(
          { err, file, runbook: "dns-view-stale" },
          "the view could not be kept in its file",
        );
      });
  }
}
