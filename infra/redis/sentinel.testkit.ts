/**
 * For tests: a real group of Redis servers, a master and its replicas, with three real Sentinels, from the
 * files that operators use. Only the times are shorter, so that a failover takes about a second.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep, systemClock } from "../../shared/clock.ts";
import { until } from "../../test/until.ts";
import { freePorts } from "../process/port.ts";
import type { RedisUser } from "./access.ts";
import {
  type GroupPasswords,
  groupServerAcl,
  groupServerConfig,
  sentinelAcl,
  sentinelConfig,
} from "./group.ts";
import { GroupProcess } from "./group-process.testkit.ts";

const HOST = "127.0.0.1";
const SENTINELS = 3;
const RETRY_MS = 100;
const passwords: GroupPasswords = {
  user: "testing",
  replica: "replicating",
  sentinel: "watching",
  peer: "agreeing",
  node: "asking",
};
const ADMIN = { username: "admin", password: "administering" };
/** Who may do everything: for what the process under test may not. */
const ADMIN_ACL = `user ${ADMIN.username} on >${ADMIN.password} ~* &* +@all\n`;
/** As the templates have them: 2,000 and 10,000 ms. */
const QUICK = ["down-after-milliseconds NAME 1000", "failover-timeout NAME 2000"];
/** Sentinel's own periods, for which there are no settings: of Redis 7 on. */
const QUICK_PERIODS = ["info-period", "ping-period", "ask-period", "publish-period"].flatMap(
  (name) => [name, "200"],
);

export interface TestRedisGroupOptions {
  /** Whose rights there are; a node's by default. */
  readonly user?: RedisUser;
  /** Two by default. */
  readonly replicas?: number;
  /** Replicas without which the master takes no writes; one by default, as in the template. */
  readonly minReplicas?: number;
}

export class TestRedisGroup {
  readonly name = "testing";
  readonly servers: readonly GroupProcess[];
  readonly sentinels: readonly GroupProcess[];
  readonly #dir: string;
  readonly #user: RedisUser;

  private constructor(dir: string, ports: readonly number[], options: TestRedisGroupOptions) {
    const { user = "region", minReplicas = 1 } = options;
    this.#dir = dir;
    this.#user = user;
    const all = ports.map((port, index) => this.#processAt(port, index < ports.length - SENTINELS));
    this.servers = all.slice(0, -SENTINELS);
    this.sentinels = all.slice(-SENTINELS);
    const master = { host: HOST, port: ports[0] as number };
    for (const [index, { at, confFile }] of this.servers.entries()) {
      write(at.aclFile, groupServerAcl(user, passwords) + ADMIN_ACL);
      const more = [
        `min-replicas-to-write ${minReplicas}`,
        ...(index > 0 ? [`replicaof ${master.host} ${master.port}`] : []),
      ];
      write(confFile, `${groupServerConfig(at, passwords)}${more.join("\n")}\n`);
    }
    for (const { at, confFile } of this.sentinels) {
      write(at.aclFile, sentinelAcl(passwords) + ADMIN_ACL);
      const more = QUICK.map((line) => `sentinel ${line.replace("NAME", this.name)}\n`).join("");
      write(confFile, sentinelConfig(at, passwords, { name: this.name, master }) + more);
    }
  }

  static async start(options: TestRedisGroupOptions = {}): Promise<TestRedisGroup> {
    const { replicas = 2 } = options;
    const dir = mkdtempSync(join(tmpdir(), "meridian-redis-group-"));
    const group = new TestRedisGroup(dir, await freePorts(1 + replicas + SENTINELS), options);
    try {
      await group.#startAll(replicas);
      return group;
    } catch (error) {
      await group.stop();
      throw error;
    }
  }

  /** As nodes, or the core, are given it. */
  get url(): string {
    return this.urlBy(this.sentinels.map(({ at }) => at.port));
  }

  /** By other Sentinels, or what stands in for them. */
  urlBy(sentinelPorts: readonly number[]): string {
    const hosts = sentinelPorts.map((port) => `${HOST}:${port}`).join(",");
    const access = `sentinel_username=node&sentinel_password=${passwords.node}`;
    return `redis+sentinel://${this.#user}:${passwords.user}@${hosts}/${this.name}?${access}`;
  }

  /** The one that a living Sentinel names. */
  async master(): Promise<GroupProcess> {
    const asked = this.sentinels.find(({ isRunning }) => isRunning);
    if (!asked) throw new Error("no sentinel runs");
    const [, port] = (await asked.ask(
      "SENTINEL",
      "get-master-addr-by-name",
      this.name,
    )) as string[];
    const master = this.servers.find(({ at }) => at.port === Number(port));
    if (!master) throw new Error(`the sentinel names port ${port}`);
    return master;
  }

  /** @returns the new master, once all living Sentinels name it and it says so itself */
  async failedOver(from: GroupProcess): Promise<GroupProcess> {
    return until("another master", async () => {
      const master = await this.master();
      if (master === from) return undefined;
      const role = (await master.ask("ROLE").catch(() => [])) as string[];
      return role[0] === "master" && master;
    });
  }

  /** As an operator does it, with all of them alive. @returns the new master */
  async failOver(): Promise<GroupProcess> {
    const [sentinel] = this.sentinels as readonly [GroupProcess];
    const from = await this.master();
    await until("the failover", async () => {
      if ((await this.master()) !== from) return true;
      // Refused while the replica is not known to be up to date, or one is under way.
      await sentinel.ask("SENTINEL", "FAILOVER", this.name).catch(() => undefined);
      await sleep(systemClock, RETRY_MS);
      return false;
    });
    return this.failedOver(from);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.servers, ...this.sentinels].map((process) => process.kill()));
    rmSync(this.#dir, { recursive: true });
  }

  #processAt(port: number, isServer: boolean): GroupProcess {
    const dir = join(this.#dir, `${port}`);
    mkdirSync(dir);
    const at = { host: HOST, port, dir, aclFile: join(dir, "users.acl") };
    return new GroupProcess(at, join(dir, "server.conf"), isServer ? [] : ["--sentinel"], ADMIN);
  }

  async #startAll(replicas: number): Promise<void> {
    await Promise.all(this.servers.map((server) => server.start()));
    const [master] = this.servers as [GroupProcess];
    await until("the replicas follow", async () => {
      const states = await this.#info(master, "replication", /^slave\d+:.*state=online/gm);
      return states === replicas;
    });
    await Promise.all(this.sentinels.map((sentinel) => sentinel.start()));
    for (const sentinel of this.sentinels)
      await sentinel.ask("SENTINEL", "DEBUG", ...QUICK_PERIODS);
    await until("the sentinels know of all", async () => {
      const known = `status=ok,address=.*,slaves=${replicas},sentinels=${SENTINELS}`;
      const each = this.sentinels.map((one) => this.#info(one, "sentinel", new RegExp(known, "g")));
      return (await Promise.all(each)).every((count) => count === 1);
    });
  }

  async #info(process: GroupProcess, section: string, what: RegExp): Promise<number> {
    const text = (await process.ask("INFO", section)) as string;
    return text.match(what)?.length ?? 0;
  }
}

function write(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}
