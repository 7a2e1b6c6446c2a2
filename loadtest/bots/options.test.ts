import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAYERS_MAX, parseBotsOptions } from "./options.ts";

test("without options: a few bots in the local world, until they are told to stop", () => {
  assert.deepEqual(parseBotsOptions([]), {
    help: false,
    players: 20,
    url: "http://127.0.0.1:7300",
    seconds: undefined,
    arrivePerSecond: 20,
    seed: undefined,
  });
});

test("every option is understood", () => {
  const args = "--players 60 --url https://play.example.com --seconds 1.5 --arrive-per-second 0.5";
  assert.deepEqual(parseBotsOptions([...args.split(" "), "--seed", "7", "--help"]), {
    help: true,
    players: 60,
    url: "https://play.example.com",
    seconds: 1.5,
    arrivePerSecond: 0.5,
    seed: 7,
  });
});

test("each mistake gets one clear line", () => {
  const mistakes: [string, RegExp][] = [
    ["--players 0", /--players 0 is not a whole number from 1 to/],
    [`--players ${PLAYERS_MAX + 1}`, new RegExp(`from 1 to ${PLAYERS_MAX}$`)],
    ["--players 1.5", /--players 1.5 is not a whole number/],
    ["--players many", /--players many/],
    ["--seconds 0", /--seconds 0 is not a number from 1 to/],
    ["--arrive-per-second 0", /--arrive-per-second 0 is not a number from 0.1 to/],
    ["--seed -1", /'--seed' argument is ambiguous/],
    ["--url 127.0.0.1:7300", /--url 127.0.0.1:7300 is not a URL such as/],
    ["--url ftp://127.0.0.1", /--url ftp:/],
    ["--nonsense", /Unknown option '--nonsense'/],
  ];
  for (const [args, message] of mistakes) {
    assert.throws(() => parseBotsOptions(args.split(" ")), message, args);
  }
});
