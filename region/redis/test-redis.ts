/**
 * For tests: a real redis-server on a free port, with the rights that nodes have and nothing kept.
 * `REDIS_SERVER` may name it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../infra/process/port.ts";
import { REGION_USER, regionAcl } from "../../infra/redis/access.ts";

const PASSWORD = "testing";

export class TestRedis {
  readonly port: number;
  readonly #dir = mkdtempSync(join(tmpdir(), "meridian-redis-"));
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<TestRedis> {
    const redis = new TestRedis(await freePort());
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://${REGION_USER}:${PASSWORD}@127.0.0.1:${this.port}`;
  }

  /** Also after a `kill`: on the same port, and empty. */
  async start(): Promise<void> {
    writeFileSync(join(this.#dir, "users.acl"), regionAcl(PASSWORD));
    const settings = { port: this.port, bind: "127.0.0.1", save: "", dir: this.#dir };
    const server = spawn(
      process.env.REDIS_SERVER || "redis-server",
      [
        ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]),
        ...["--aclfile", join(this.#dir, "users.acl")],
      ],
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
