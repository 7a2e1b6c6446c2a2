/**
 * One of the two servers of a pair: its folder, its process, and the record that says in which generation its data
 * was copied.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { archivingServer } from "../../backup/archive.ts";
import { isAlive, signalProcess, waitForEnd, workingDirectory } from "../../process/pid.ts";
import { POSTGRES_LOG, type RunningPostgres, startPostgres } from "../embedded.ts";
import { stopLeftoverPostgres } from "../leftover.ts";
import type { MemberName } from "./mark.ts";

const CopyRecord = z.object({ generation: z.int() });
const RECORD = "standby.json";
const PASSWORD = "password";
const END_MS = 5_000;

/**
 * For both, since each may become the other.
 * - A crash of one of its processes ends the server: restarted in place it would show commits that the standby
 *   may not have.
 * - Who is gone is noticed within seconds, on both sides.
 */
const SETTINGS = {
  restart_after_crash: "off",
  wal_level: "replica",
  hot_standby: "on",
  hot_standby_feedback: "on",
  max_wal_senders: "10",
  max_replication_slots: "10",
  wal_sender_timeout: "5s",
  wal_receiver_timeout: "5s",
  wal_receiver_status_interval: "1s",
  wal_retrieve_retry_interval: "250ms",
  // Past it the standby is made anew, instead of filling the primary's disk.
  max_slot_wal_keep_size: "1GB",
};

export interface MemberOptions {
  readonly name: MemberName;
  readonly dir: string;
  readonly port: number;
  /** For tests that need no disk. */
  readonly settings: Readonly<Record<string, string>>;
  /** Where it archives its log while it is the primary. */
  readonly backupDir: string | undefined;
  readonly log: (line: string) => void;
  /** Its process has ended by itself. */
  readonly onEnded: (how: string) => void;
}

export class Member {
  readonly #options: MemberOptions;
  #running: RunningPostgres | undefined;
  /** Killed to stay away. */
  keptAway = false;

  constructor(options: MemberOptions) {
    this.#options = { ...options, dir: resolve(options.dir) };
  }

  get name(): MemberName {
    return this.#options.name;
  }

  get port(): number {
    return this.#options.port;
  }

  get data(): string {
    return join(this.#options.dir, "data");
  }

  get logFile(): string {
    return join(this.#options.dir, POSTGRES_LOG);
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Of the superuser. */
  get url(): string | undefined {
    return this.#running?.url;
  }

  /** Resolves when it answers. @throws one clear line; nothing is left running then */
  async start(signal: AbortSignal): Promise<void> {
    const { dir, port, log, onEnded, name, backupDir } = this.#options;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const archive = backupDir === undefined ? undefined : archivingServer(backupDir, dir);
    const settings = {
      ...SETTINGS,
      cluster_name: `meridian-${name}`,
      ...archive?.settings,
      ...this.#options.settings,
    };
    const folders = archive?.folders ?? [];
    const running = await startPostgres({ dataDir: dir, port, settings, folders, signal, log });
    this.#running = running;
    void running.ended.then((how) => {
      if (this.#running !== running) return;
      this.#running = undefined;
      onEnded(how);
    });
  }

  /**
   * Ends it without grace, with all of its processes: one that serves a connection may outlive the server by
   * a moment, and could go on answering.
   */
  async fence(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    const processes = this.#processes();
    if (running) processes.unshift(running.pid);
    for (const pid of processes) signalProcess(pid, "SIGKILL");
    for (const pid of new Set([...processes, ...this.#processes()])) {
      signalProcess(pid, "SIGKILL");
      if (!(await waitForEnd(pid, END_MS))) throw new Error(`process ${pid} does not end`);
    }
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }

  /** Ends what an earlier manager left. */
  async endLeftover(): Promise<void> {
    if (existsSync(this.data)) await stopLeftoverPostgres(this.#options.dir);
    await this.fence();
  }

  /** Whether its data was copied whole in this generation. */
  isCopyOf(generation: number): boolean {
    const path = join(this.#options.dir, RECORD);
    if (!existsSync(path) || !existsSync(this.data)) return false;
    const record = CopyRecord.safeParse(JSON.parse(readFileSync(path, "utf8")));
    return record.success && record.data.generation === generation;
  }

  /** Before the copy is begun: what is there does not count from now on. */
  beginCopy(password: string): void {
    const { dir } = this.#options;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    rmSync(join(dir, RECORD), { force: true });
    writeFileSync(join(dir, PASSWORD), `${password}\n`, { mode: 0o600 });
  }

  endCopy(generation: number): void {
    writeFileSync(join(this.#options.dir, RECORD), JSON.stringify({ generation }), { mode: 0o600 });
  }

  get password(): string {
    return readFileSync(join(this.#options.dir, PASSWORD), "utf8").trim();
  }

  /** All that run in its data folder; where the system tells of them. */
  #processes(): number[] {
    if (process.platform !== "linux" || !existsSync(this.data)) return [];
    const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
    return pids.filter((pid) => workingDirectory(pid) === this.data && isAlive(pid));
  }
}
