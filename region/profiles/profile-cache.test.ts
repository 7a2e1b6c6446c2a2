import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import { ProfileCache } from "./profile-cache.ts";

const place = { feedId: "feed", seq: 0 };
const ids = Array.from({ length: 10 }, (_, n) => PlayerId.parse(uuidV7(n, new Uint8Array(10))));

test("it is bounded: the least recently used go", () => {
  const cache = new ProfileCache(3);
  cache.hear({ place, changed: [], flush: true, ageMs: 0 }, 0);
  const keep = (id: PlayerId) => {
    const profiles = [{ id, name: "Ada", createdAt: "" }];
    cache.answered(cache.ask([id], 0), { asOf: place, profiles });
  };
  const [first, second] = ids;
  for (const id of ids.slice(0, 3)) keep(id);
  assert.ok(first && second);
  cache.find(first, 0);
  for (const id of ids.slice(3, 5)) keep(id);
  assert.equal(cache.size, 3);
  assert.equal(cache.find(first, 0).type, "fresh");
  assert.equal(cache.find(second, 0).type, "unknown");
});

test("before the first news nothing is kept", () => {
  const cache = new ProfileCache();
  cache.answered(cache.ask(ids, 0), { asOf: place, profiles: [] });
  assert.equal(cache.size, 0);
});

test("an answer of another core process's feed is not kept", () => {
  const cache = new ProfileCache();
  cache.hear({ place, changed: [], flush: true, ageMs: 0 }, 0);
  cache.answered(cache.ask(ids, 0), { asOf: { feedId: "other", seq: 9 }, profiles: [] });
  assert.equal(cache.size, 0);
});

test("news that come again, late, do not hide a change that was told since", () => {
  const cache = new ProfileCache();
  const [id] = ids;
  assert.ok(id);
  const news = (after: number, seq: number) => ({
    after: { feedId: "feed", seq: after },
    place: { feedId: "feed", seq },
    changed: [id],
    flush: false,
    ageMs: 0,
  });
  cache.hear({ place, changed: [], flush: true, ageMs: 0 }, 0);
  const asking = cache.ask([id], 0);
  cache.hear(news(0, 1), 0);
  cache.hear(news(1, 3), 0);
  cache.hear(news(0, 1), 0);
  const profiles = [{ id, name: "read before the last change", createdAt: "" }];
  cache.answered(asking, { asOf: { feedId: "feed", seq: 2 }, profiles });
  assert.equal(cache.size, 0);
});
