import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLocalOptions } from "./options.ts";

test("without options: three regions on this machine alone", () => {
  const { player, ...rest } = parseLocalOptions([]);
  assert.equal(player.name, "Hangzhou");
  assert.deepEqual(rest, {
    topology: "china",
    regions: 3,
    cores: 1,
    portBase: 7_300,
    wan: false,
    lan: false,
    fresh: false,
    dns: false,
    scaling: false,
    standby: false,
    watch: true,
    backupDir: undefined,
  });
});

test("every option is understood", () => {
  const args =
    "--topology global --regions 5 --cores 2 --port-base 9000 --wan --player-city Harbin --lan --fresh --dns --scale --standby --no-watch --backup-dir /backups".split(
      " ",
    );
  const { player, ...rest } = parseLocalOptions(args);
  assert.equal(player.name, "Harbin");
  assert.deepEqual(rest, {
    topology: "global",
    regions: 5,
    cores: 2,
    portBase: 9_000,
    wan: true,
    lan: true,
    fresh: true,
    dns: true,
    scaling: true,
    standby: true,
    watch: false,
    backupDir: "/backups",
  });
});

test("each mistake gets one clear line", () => {
  const mistakes: [string, RegExp][] = [
    ["--topology mars", /--topology mars: not one of china, global/],
    ["--regions 0", /--regions 0 is not a whole number from 1 to 5/],
    ["--regions 6", /--regions 6/],
    ["--regions many", /--regions many/],
    ["--cores 0", /--cores 0 is not a whole number from 1 to 5/],
    ["--port-base 80", /--port-base 80 is not a whole number from 1024 to/],
    ["--port-base 65535", /--port-base 65535/],
    ["--player-city harbin", /--player-city needs --wan/],
    ["--wan --player-city Atlantis", /--player-city Atlantis: not one of beijing, /],
    ["--nonsense", /Unknown option '--nonsense'/],
    ["beijing", /Unexpected argument 'beijing'/],
  ];
  for (const [args, message] of mistakes) {
    assert.throws(() => parseLocalOptions(args.split(" ")), message, args);
  }
});
