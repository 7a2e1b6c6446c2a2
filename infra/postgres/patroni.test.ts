/** Patroni's configuration says what the local pair does; it is read as Patroni would read it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";

const text = readFileSync(fileURLToPath(new URL("patroni.yml", import.meta.url)), "utf8");

/** The keys that the promises of docs/database.md rest on, each as it must be. */
const Patroni = z.object({
  scope: z.literal("meridian"),
  restapi: z.object({ listen: z.string().endsWith(":8008") }),
  etcd3: z.object({ protocol: z.literal("https") }).loose(),
  bootstrap: z.object({
    dcs: z.object({
      ttl: z.int().min(20),
      loop_wait: z.int().min(1),
      retry_timeout: z.int().min(3),
      primary_start_timeout: z.literal(0),
      failsafe_mode: z.literal(true),
      synchronous_mode: z.literal(true),
      synchronous_mode_strict: z.literal(false),
      synchronous_node_count: z.literal(1),
      maximum_lag_on_failover: z.int().positive(),
      maximum_lag_on_syncnode: z.literal(-1),
      postgresql: z.object({
        use_pg_rewind: z.literal(false),
        remove_data_directory_on_diverged_timelines: z.literal(true),
        use_slots: z.literal(true),
        parameters: z
          .object({
            // As texts: PostgreSQL's own words, not YAML's.
            synchronous_commit: z.literal("on"),
            restart_after_crash: z.literal("off"),
            hot_standby: z.literal("on"),
            max_slot_wal_keep_size: z.string(),
            ssl: z.literal("on"),
          })
          .loose(),
      }),
    }),
    initdb: z.array(z.unknown()),
  }),
  postgresql: z.object({ pg_hba: z.array(z.string()).min(2) }).loose(),
  watchdog: z.object({ mode: z.literal("required"), device: z.string(), safety_margin: z.int() }),
  tags: z.record(z.string(), z.boolean()),
});

test("Patroni's configuration has the keys that matter, as they must be", () => {
  const { bootstrap, postgresql } = Patroni.parse(parse(text));
  const { ttl, loop_wait, retry_timeout } = bootstrap.dcs;
  assert.ok(loop_wait + 2 * retry_timeout <= ttl, "Patroni's own rule");
  for (const line of postgresql.pg_hba) {
    assert.match(
      line,
      /^(local all postgres peer|hostssl .* scram-sha-256|host all all all reject)$/,
    );
  }
  assert.equal(postgresql.pg_hba.at(-1), "host all all all reject", "everybody else");
});

test("no password is in the file", () => {
  assert.ok(!/^\s*password:/m.test(text));
});
