/**
 * The core's feed and a node's cache together: with any loss, repetition and reordering of heartbeats'
 * answers, any late answer to a question, restarts of the core and a feed that is too short, the cache shows
 * nothing older than what the node has heard of, and every change is told or flushed.
 *
 * TEST_SEED=<number> replays a run, RUNS=<number> sets how many cases are tried.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addChanges, type Feed, newFeed, newsAfter } from "../core/profiles/feed-step.ts";
import { type Asking, ProfileCache } from "../region/profiles/profile-cache.ts";
import { PlayerId, uuidV7 } from "../shared/ids.ts";
import type { FeedNews, FeedPlace, ProfilesAnswer } from "../shared/protocol/profiles.ts";

const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const numRuns = Number(process.env.RUNS ?? 1_000);
const PLAYERS = Array.from({ length: 4 }, (_, n) => PlayerId.parse(uuidV7(n, new Uint8Array(10))));
const FEED_LENGTH = 3;

/** Versions of players, the newest in the database and those that the feed has told of. */
type Versions = Map<PlayerId, number>;

class ModelCore {
  readonly stored: Versions = new Map(PLAYERS.map((id) => [id, 0]));
  #told: Versions = new Map(this.stored);
  #feed: Feed = newFeed("feed-0");
  #starts = 0;
  /** Reads that began and have not been forgotten: others may join them. */
  readonly #flights = new Map<PlayerId, { asOf: FeedPlace; version: number }>();

  change(id: PlayerId): void {
    this.stored.set(id, (this.stored.get(id) ?? 0) + 1);
  }

  readChanges(): void {
    const changed = PLAYERS.filter((id) => this.stored.get(id) !== this.#told.get(id));
    for (const id of changed) this.#flights.delete(id);
    this.#feed = addChanges(this.#feed, changed, FEED_LENGTH);
    this.#told = new Map(this.stored);
  }

  restart(): void {
    this.#starts += 1;
    this.#feed = newFeed(`feed-${this.#starts}`);
    this.#told = new Map(this.stored);
    this.#flights.clear();
  }

  news(after: FeedPlace | undefined): Heard {
    return { news: newsAfter(this.#feed, after, 0), told: new Map(this.#told) };
  }

  answer(id: PlayerId, join: boolean): ProfilesAnswer {
    const began = { asOf: this.#feed.place, version: this.stored.get(id) ?? 0 };
    const flight = (join && this.#flights.get(id)) || began;
    this.#flights.set(id, flight);
    const profile = { id, name: String(flight.version), createdAt: "" };
    return { asOf: flight.asOf, profiles: [profile] };
  }
}

interface Heard {
  readonly news: FeedNews;
  readonly told: Versions;
}

interface Question {
  readonly id: PlayerId;
  readonly asking: Asking;
  answer?: ProfilesAnswer;
}

class World {
  readonly core = new ModelCore();
  readonly cache = new ProfileCache();
  /** No value below these may be shown. */
  readonly heardOf: Versions = new Map();
  readonly requests: (FeedPlace | undefined)[] = [];
  readonly answers: Heard[] = [];
  readonly questions: Question[] = [];
  shown = 0;

  hear({ news, told }: Heard): void {
    this.cache.hear(news, 0);
    for (const [id, version] of told) {
      this.heardOf.set(id, Math.max(version, this.heardOf.get(id) ?? 0));
    }
  }

  check(): void {
    for (const id of PLAYERS) {
      const found = this.cache.find(id, 0);
      const profile = found.type === "unknown" ? found.fallback : found.profile;
      if (!profile) continue;
      this.shown += 1;
      const least = this.heardOf.get(id) ?? 0;
      assert.ok(Number(profile.name) >= least, `shows ${profile.name}, has heard of ${least}`);
    }
  }
}

/** One exchange as it usually goes, or one step of several that cross. */
const what = fc.constantFrom(
  ...["change", "change", "readChanges", "readChanges", "beat", "beat", "look", "look", "look"],
  ...["send", "receive", "deliver", "repeat", "lose"],
  ...["ask", "reply", "join", "land", "land"],
  "restart",
);
const act = fc.record({ what, at: fc.nat(1_000) });

function take<T>(from: T[], at: number): T | undefined {
  return from.splice(at % Math.max(1, from.length), 1)[0];
}

function reply(world: World, at: number, join: boolean): void {
  const unanswered = world.questions.filter(({ answer }) => !answer);
  const question = unanswered[at % Math.max(1, unanswered.length)];
  if (question) question.answer = world.core.answer(question.id, join);
}

function land(world: World, at: number): void {
  const answered = world.questions.filter(({ answer }) => answer);
  const question = answered[at % Math.max(1, answered.length)];
  if (!question?.answer) return;
  world.questions.splice(world.questions.indexOf(question), 1);
  world.cache.answered(question.asking, question.answer);
}

function run(world: World, kind: string, at: number): void {
  const { core, cache, requests, answers, questions } = world;
  const [first] = PLAYERS;
  const id = PLAYERS[at % PLAYERS.length] ?? first;
  if (!id) return;
  if (kind === "change") core.change(id);
  else if (kind === "readChanges") core.readChanges();
  else if (kind === "restart" && at % 5 === 0) core.restart();
  else if (kind === "beat") world.hear(core.news(cache.place));
  else if (kind === "send") requests.push(cache.place);
  else if (kind === "receive" && requests.length > 0) answers.push(core.news(take(requests, at)));
  else if (kind === "lose") take(answers, at);
  else if (kind === "deliver" || kind === "repeat") {
    const answer =
      kind === "repeat" ? answers[at % Math.max(1, answers.length)] : take(answers, at);
    if (answer) world.hear(answer);
  } else if (kind === "ask") questions.push({ id, asking: cache.ask([id], 0) });
  else if (kind === "look") cache.answered(cache.ask([id], 0), core.answer(id, at % 2 === 0));
  else if (kind === "reply" || kind === "join") reply(world, at, kind === "join");
  else if (kind === "land") land(world, at);
}

test(`the cache shows nothing older than what was heard of (TEST_SEED=${seed})`, () => {
  let shown = 0;
  fc.assert(
    fc.property(fc.array(act, { minLength: 20, maxLength: 200 }), (acts) => {
      const world = new World();
      for (const { what: kind, at } of acts) {
        run(world, kind, at);
        world.check();
      }
      shown += world.shown;
    }),
    { seed, numRuns },
  );
  assert.ok(shown > 10 * numRuns, `only ${shown} values were shown at all`);
});
