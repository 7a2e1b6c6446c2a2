import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, readConfig } from "../config.ts";
import { databaseOf, parseRedisUrl, redisUrl } from "./redis-url.ts";

test("a server's URL stays as it is", () => {
  for (const url of ["redis://127.0.0.1:6379", "rediss://core:a%40b@[::1]:6380/3"]) {
    assert.deepEqual(parseRedisUrl(url), { kind: "server", url });
  }
});

test("a group is its name, its Sentinels and who is let in where", () => {
  const url =
    "redis+sentinel://region:a%40b%3A@one:26380,two,[::1]:26382/beijing-1" +
    "?db=2&sentinel_username=node&sentinel_password=c%26d%2B";
  assert.deepEqual(parseRedisUrl(url), {
    kind: "group",
    name: "beijing-1",
    sentinels: [
      { host: "one", port: 26_380 },
      { host: "two", port: 26_379 },
      { host: "::1", port: 26_382 },
    ],
    tls: false,
    db: 2,
    username: "region",
    password: "a@b:",
    sentinelUsername: "node",
    sentinelPassword: "c&d+",
  });
});

test("what is left out has its usual value; TLS is asked for by the scheme", () => {
  assert.deepEqual(parseRedisUrl("rediss+sentinel://one/core"), {
    kind: "group",
    name: "core",
    sentinels: [{ host: "one", port: 26_379 }],
    tls: true,
    db: 0,
  });
  const onlyPassword = parseRedisUrl("redis+sentinel://:word@one/core");
  assert.ok(onlyPassword.kind === "group");
  assert.deepEqual([onlyPassword.username, onlyPassword.password], [undefined, "word"]);
});

test("a wrong URL is a ConfigError that says what is wrong, and nothing of its secrets", () => {
  const wrong: [string, RegExp][] = [
    ["-", /starts with redis:/],
    ["http://secret@one", /starts with redis:/],
    ["redis://", /no URL with a host/],
    ["redis+sentinel://u:secret@one:26379", /is not redis\+sentinel:/],
    ["redis+sentinel://u:secret@one:26379/", /needs the name of the group/],
    ["redis+sentinel://u:secret@one:26379/a b", /needs the name of the group/],
    ["redis+sentinel://u:secret@one,,two/core", /no host:port/],
    ["redis+sentinel://u:secret@one:port/core", /no host:port/],
    ["redis+sentinel://u:secret@one:0/core", /no host:port/],
    ["redis+sentinel://u:secret@one/core?db=first", /no number/],
    ["redis+sentinel://u:secret@one/core?database=1", /no settings after/],
    ["redis+sentinel://u:%secret@one/core", /encodes nothing/],
    [`redis+sentinel://u:secret@${Array(10).fill("one").join(",")}/core`, /more than 9/],
  ];
  const settings = {
    REDIS_URL: { schema: redisUrl, description: "Redis.", secret: true },
  } as const;
  for (const [url, problem] of wrong) {
    for (const read of [() => parseRedisUrl(url), () => readConfig(settings, { REDIS_URL: url })]) {
      assert.throws(read, (error: unknown) => {
        assert.ok(error instanceof ConfigError, url);
        assert.match(error.message, problem);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
  }
});

test("another database of the same Redis is a number further on", () => {
  assert.equal(databaseOf("redis://one:6379", 3), "redis://one:6379/3");
  assert.equal(databaseOf("redis://one:6379/2", 3), "redis://one:6379/5");
  const group = databaseOf("redis+sentinel://one,two/core?sentinel_password=a%26b&db=4", 3);
  const address = parseRedisUrl(group);
  assert.ok(address.kind === "group");
  assert.deepEqual([address.db, address.sentinelPassword], [7, "a&b"]);
  assert.throws(() => databaseOf("redis://one:6379/first", 1), ConfigError);
});
