/** What the manager does to its servers: thin, each either done when it resolves or thrown. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { followLineage } from "../../../core/db/term.ts";
import { unprivilegedUser } from "../binaries.ts";
import { copyBase } from "./base-backup.ts";
import { type MemberName, otherMember, type PairMark } from "./mark.ts";
import type { Member } from "./member.ts";
import type { PairNames } from "./pair-names.ts";
import type { PairEffect } from "./pair-step.ts";
import { ensureReplicationLogin, promote, settle, setWaits, withClient } from "./questions.ts";
import { writeSettings } from "./settings-file.ts";

/** All but what is written down. */
export type ServerEffect = Exclude<PairEffect, { type: "write_mark" }>;

export interface PairEffectsDeps {
  readonly members: Readonly<Record<MemberName, Member>>;
  readonly names: PairNames;
  readonly replicationPorts: Readonly<Record<MemberName, number>>;
  readonly replicationPassword: string;
  readonly database: string;
  readonly report: (line: string) => void;
}

const COPY_DEADLINE_MS = 600_000;
const RAISE_DEADLINE_MS = 10_000;
const NO_SUCH_DATABASE = "3D000";

export class PairEffects {
  readonly #deps: PairEffectsDeps;

  constructor(deps: PairEffectsDeps) {
    this.#deps = deps;
  }

  async carryOut(
    effect: ServerEffect,
    mark: PairMark,
    signal: AbortSignal,
  ): Promise<{ readonly settledBytes?: number }> {
    const { members, names } = this.#deps;
    const primary = members[mark.primary];
    const standby = members[otherMember(mark.primary)];
    switch (effect.type) {
      case "start_primary":
        // Whoever was waited for before, nobody is now.
        if (existsSync(primary.data)) {
          writeSettings(primary.data, { synchronous_standby_names: undefined });
        }
        await primary.start(signal);
        break;
      case "fence":
        await members[effect.member].fence();
        break;
      case "promote":
        // Of the former primary, nothing may be left that could still answer anybody.
        await standby.fence();
        await promote(urlOf(primary));
        break;
      case "announce":
        await this.#raise(urlOf(primary));
        break;
      case "set_waits":
        await setWaits(urlOf(primary), effect.on ? names.applicationOf(standby.name) : undefined);
        break;
      case "settle":
        return { settledBytes: await settle(urlOf(primary)) };
      case "build_standby":
        await this.#build(primary, standby, mark, signal);
        break;
      case "start_standby":
        this.#follow(standby, primary);
        await standby.start(signal);
        break;
    }
    return {};
  }

  async #build(
    primary: Member,
    standby: Member,
    { generation }: PairMark,
    signal: AbortSignal,
  ): Promise<void> {
    const { names, replicationPassword } = this.#deps;
    const url = urlOf(primary);
    await ensureReplicationLogin(url, { name: names.login, password: replicationPassword });
    await standby.fence();
    standby.beginCopy(primary.password);
    const copy = (client: pg.Client) =>
      copyBase({
        primary: client,
        from: primary.data,
        to: standby.data,
        runAs: unprivilegedUser(primary.data),
        conninfo: this.#conninfo(standby, primary),
        slot: names.slot,
        signal,
      });
    await withClient(url, copy, COPY_DEADLINE_MS);
    standby.endCopy(generation);
  }

  /** The ports are others after a restart of the world. */
  #follow(standby: Member, primary: Member): void {
    writeFileSync(join(standby.data, "standby.signal"), "", { mode: 0o600, flag: "a" });
    writeSettings(standby.data, {
      primary_conninfo: this.#conninfo(standby, primary),
      primary_slot_name: this.#deps.names.slot,
      synchronous_standby_names: undefined,
    });
  }

  #conninfo(standby: Member, primary: Member): string {
    const { names, replicationPorts, replicationPassword } = this.#deps;
    return [
      "host=127.0.0.1",
      `port=${replicationPorts[primary.name]}`,
      `user=${names.login}`,
      `password=${replicationPassword}`,
      `application_name=${names.applicationOf(standby.name)}`,
      "connect_timeout=2",
    ].join(" ");
  }

  async #raise(url: string): Promise<void> {
    const { database, report } = this.#deps;
    const ours = Object.assign(new URL(url), { pathname: `/${database}` }).href;
    try {
      const raised = await withClient(ours, followLineage, RAISE_DEADLINE_MS);
      if (raised) report(`✓ the core's term was ${raised.before} and is ${raised.term}`);
    } catch (error) {
      // The world has not made it yet: there is no term.
      if (!(error instanceof Error && "code" in error && error.code === NO_SUCH_DATABASE))
        throw error;
    }
  }
}

function urlOf(member: Member): string {
  const { url } = member;
  if (url === undefined) throw new Error(`postgres ${member.name} does not run`);
  return url;
}
