/**
 * For tests: a real redis-server on a free port, with the rights that nodes or the core have. It keeps
 * nothing over a kill unless told to. `REDIS_SERVER` may name it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../process/port.ts";
import { aclOf, type RedisUser } from "./access.ts";

const PASSWORD = "testing";
const PASSWORD_SHA256 = createHash("sha256").update(PASSWORD).digest("hex");
/** Who may do everything: for what the process under test may not. */
const ADMIN = "admin";

export interface TestRedisOptions {
  /** Whose rights there are; a node's by default. */
  readonly user?: RedisUser;
  /** Whether it has its data again after a kill; not by default. */
  readonly keeps?: boolean;
}

export class TestRedis {
  readonly port: number;
  readonly #user: RedisUser;
  readonly #keeps: boolean;
  readonly #dir = mkdtempSync(join(tmpdir(), "meridian-redis-"));
  #process: ChildProcess | undefined;

  private constructor(port: number, { user = "region", keeps = false }: TestRedisOptions) {
    this.port = port;
    this.#user = user;
    this.#keeps = keeps;
  }

  static async start(options: TestRedisOptions = {}): Promise<TestRedis> {
    const redis = new TestRedis(await freePort(), options);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://${this.#user}:${PASSWORD}@127.0.0.1:${this.port}`;
  }

  get adminUrl(): string {
    return `redis://${ADMIN}:${PASSWORD}@127.0.0.1:${this.port}`;
  }

  /** Also after a `kill`, on the same port. */
  async start(): Promise<void> {
    const aclFile = join(this.#dir, "users.acl");
    const admin = `user ${ADMIN} on #${PASSWORD_SHA256} ~* &* +@all\n`;
    writeFileSync(aclFile, aclOf(this.#user, PASSWORD) + admin);
    const settings = {
      port: this.port,
      bind: "127.0.0.1",
      save: "",
      dir: this.#dir,
      aclfile: aclFile,
      appendonly: this.#keeps ? "yes" : "no",
    };
    const server = spawn(
      process.env.REDIS_SERVER || "redis-server",
      Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]),
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    this.#process = server;
    await new Promise<void>((resolve, reject) => {
      server.once("exit", (code) => reject(new Error(`redis-server ended with ${code}`)));
      server.stdout.on("data", (chunk: Buffer) => {
        if (chunk.includes("Ready to accept connections")) resolve();
      });
    });
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
    if (!server || server.exitCode !== null) return;
    this.#process = undefined;
    server.removeAllListeners("exit");
    const exited = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGKILL");
    await exited;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#dir, { recursive: true });
  }
}
