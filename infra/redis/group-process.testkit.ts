/** For tests: one process of a group, a Redis or a Sentinel, which can be killed, paused and asked. */
import { type ChildProcess, spawn } from "node:child_process";
import { Redis } from "ioredis";
import type { Listening } from "./group.ts";

const ASK_MS = 2_000;

export class GroupProcess {
  readonly at: Listening;
  readonly confFile: string;
  readonly #args: readonly string[];
  readonly #access: { readonly username: string; readonly password: string };
  #process: ChildProcess | undefined;

  constructor(
    at: Listening,
    confFile: string,
    args: readonly string[],
    access: { readonly username: string; readonly password: string },
  ) {
    this.at = at;
    this.confFile = confFile;
    this.#args = args;
    this.#access = access;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** Also after a `kill`: with the file as it was rewritten since. */
  async start(): Promise<void> {
    const server = spawn(
      process.env.REDIS_SERVER || "redis-server",
      [this.confFile, ...this.#args],
      { stdio: ["ignore", "pipe", "inherit"], cwd: this.at.dir },
    );
    this.#process = server;
    let said = "";
    await new Promise<void>((resolve, reject) => {
      server.once("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${said}`)));
      server.stdout.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-2_000);
        if (/Ready to accept connections|Sentinel ID is/.test(said)) resolve();
      });
    });
  }

  /** As an administrator, on a connection of its own. */
  async ask(command: string, ...args: string[]): Promise<unknown> {
    const client = new Redis({
      host: this.at.host,
      port: this.at.port,
      ...this.#access,
      lazyConnect: true,
      enableReadyCheck: false,
      disableClientInfo: true,
      retryStrategy: () => null,
      connectTimeout: ASK_MS,
      commandTimeout: ASK_MS,
    });
    // What goes wrong reaches the asker by the command.
    client.on("error", () => {});
    try {
      await client.connect();
      return await client.call(command, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** Whether it is a replica, and its master is there. */
  async follows(): Promise<boolean> {
    // Whoever is connected at the moment of a demotion is sent away.
    const [role, , , state] = (await this.ask("ROLE").catch(() => [])) as string[];
    return role === "slave" && state === "connected";
  }

  /** Takes connections still, and answers nothing. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    const server = this.#process;
    if (!server) return;
    this.#process = undefined;
    server.removeAllListeners("exit");
    if (server.exitCode !== null) return;
    const exited = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGKILL");
    await exited;
  }
}
