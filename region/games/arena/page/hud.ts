/**
 * The panels before the canvas. Everything is written from what is known now; an element is touched
 * only when its content differs, so that assistive technology hears news and nothing else.
 */
import type { ArenaPlayer, ArenaState } from "../arena-state.ts";
import type { Belongings } from "./belongings.ts";
import { element, fill, setText } from "./dom.ts";
import { showQueue } from "./queue-panel.ts";
import { durationInWords } from "./queue-words.ts";
import type { ArenaSession, Notice } from "./session.ts";
import type { Line } from "./story.ts";
import { counted, describeConnection, type Mood } from "./words.ts";

const LEADERS_MAX = 8;
const RESULTS_MAX = 5;
/** The clock turns yellow for the last of them. */
const LATE_SECONDS = 10;
/** A round trip that fills the meter, ms. */
const METER_MS = 120;

const ui = {
  line: element("line"),
  words: element("words"),
  spoken: element("spoken"),
  regions: element("regions"),
  people: element("people"),
  peopleText: element("people-text"),
  round: element("round"),
  clock: element("clock"),
  roundName: element("round-name"),
  leaders: element("leaders"),
  leaderList: element("leader-list"),
  purse: element("purse"),
  wallet: element("wallet"),
  stats: element("stats"),
  saved: element("saved"),
  story: element("story"),
  storyList: element("story-list"),
  notice: element("notice"),
  noticeText: element("notice-text"),
  noticeMore: element("notice-more"),
  noticeAction: element("notice-action"),
  results: element("results"),
  resultsTitle: element("results-title"),
  resultsList: element("results-list"),
};

/** @returns the sentence about the connection that is on the screen */
export function showSession(session: ArenaSession, nowMs: number): string {
  const city = (regionId: string) => session.city(regionId);
  const sinceMs = nowMs - session.sinceMs;
  const words = describeConnection(session.connection, city, sinceMs);
  setText(ui.words, words.text);
  ui.line.dataset.mood = words.mood;
  // Read aloud once a change, not once a second.
  setText(ui.spoken, describeConnection(session.connection, city, 0).text);
  showBelongings(session.belongings);
  showRegions(session);
  showStory(session.story.lines);
  showNotice(session, nowMs);
  showQueue(session, nowMs);
  return words.text;
}

/** @param me one's own session */
export function showGame(state: ArenaState | undefined, me: string, online: number): void {
  for (const part of [ui.round, ui.leaders, ui.people]) part.hidden = !state;
  const own = state?.players.get(me);
  const carried = own?.carried ?? 0;
  ui.purse.hidden = carried === 0;
  setText(ui.purse, `Carrying ${carried}: to a bank!`);
  ui.results.hidden = state?.phase !== "results";
  if (!state) return;
  setText(ui.peopleText, `${state.players.size} here · ${online} online`);
  setText(ui.clock, clockFace(state.secondsLeft));
  ui.clock.toggleAttribute(
    "data-late",
    state.phase === "play" && state.secondsLeft <= LATE_SECONDS,
  );
  setText(ui.roundName, state.phase === "play" ? `Round ${state.round}` : "Next round");
  const ranked = [...state.players.entries()].sort(([, a], [, b]) => b.score - a.score);
  showRanking(ui.leaderList, ranked, me, LEADERS_MAX);
  if (ui.results.hidden) return;
  const [winner] = ranked;
  setText(ui.resultsTitle, winner ? `${winner[1].name} wins round ${state.round}` : "Round over");
  showRanking(ui.resultsList, ranked, me, RESULTS_MAX);
}

function showBelongings({ owned, stats, saved }: Belongings): void {
  ui.wallet.hidden = !owned;
  if (owned) {
    setText(ui.wallet, `You own ${counted(owned.coins, "coin")} · ${counted(owned.gems, "gem")}`);
  }
  const { rounds = 0, wins = 0, banked = 0 } = stats ?? {};
  ui.stats.hidden = rounds + banked === 0;
  setText(ui.stats, `${counted(rounds, "round")} · ${wins} won · ${banked} banked`);
  ui.saved.hidden = !stats;
  setText(ui.saved, saved ? "✓ Saved" : "Saving…");
}

type Ranked = readonly (readonly [string, ArenaPlayer])[];

/** The best, and oneself wherever one is. */
function showRanking(list: HTMLElement, ranked: Ranked, me: string, most: number): void {
  const shown = ranked.filter(([id], place) => place < most || id === me);
  fill(
    list,
    shown.map(([id, { name, hue, score, paid, connected }]) => ({
      className: "",
      data: { me: id === me, away: !connected },
      parts: [
        { className: "swatch", text: "", hue },
        { className: "who", text: name },
        { className: "score", text: paid > 0 ? `✓ ${score}` : `${score}` },
      ],
    })),
  );
}

function showRegions({ regions, roundTripsMs, regionId }: ArenaSession): void {
  fill(
    ui.regions,
    regions.map((region) => {
      const measuredMs = roundTripsMs[region.regionId];
      const down = region.state !== "active";
      const trip = measuredMs === undefined ? "–" : `${formatMs(measuredMs)} ms`;
      return {
        current: region.regionId === regionId,
        data: { state: region.state },
        parts: [
          { text: region.name },
          { meter: down ? METER_MS : (measuredMs ?? 0), most: METER_MS, text: "" },
          { text: down ? region.state : trip },
        ],
      };
    }),
  );
}

/** Read aloud as it grows: each line is an element that stays the same. */
function showStory(lines: readonly Line[]): void {
  ui.story.hidden = lines.length === 0;
  const items = [...ui.storyList.children];
  const serials = items.map((item) => Number(item.getAttribute("data-serial")));
  for (const [at, item] of items.entries()) {
    if (!lines.some(({ serial }) => serial === serials[at])) item.remove();
  }
  for (const { serial, text } of lines) {
    if (serials.includes(serial)) continue;
    const item = ui.storyList.appendChild(document.createElement("li"));
    item.dataset.serial = `${serial}`;
    item.textContent = text;
  }
}

function showNotice(session: ArenaSession, nowMs: number): void {
  const { notice } = session;
  ui.notice.hidden = !notice;
  if (!notice) return;
  const { text, more, action, mood } = noticeWords(session, notice, nowMs);
  ui.notice.dataset.mood = mood;
  setText(ui.noticeText, text);
  setText(ui.noticeMore, more);
  setText(ui.noticeAction, action);
  ui.noticeAction.hidden = action === "";
}

interface NoticeWords {
  readonly text: string;
  readonly more: string;
  /** On the button; empty for none. */
  readonly action: string;
  readonly mood: Mood;
}

function noticeWords(session: ArenaSession, notice: Notice, nowMs: number): NoticeWords {
  const city = (regionId: string) => session.city(regionId);
  if (notice.kind === "moved") {
    const text = `You now play in ${city(session.regionId ?? "")}`;
    return { text, more: notice.words, action: "", mood: "good" };
  }
  if (notice.kind === "refused") {
    const more = "Any other region may have a place for you.";
    return { text: notice.why, more, action: "Play anywhere", mood: "bad" };
  }
  if (notice.kind === "full") {
    const waitMs = notice.againAtMs - nowMs;
    const more = waitMs > 0 ? `Worth another try in ${durationInWords(waitMs)}.` : "Try again now.";
    const text = "Every seat is taken, and the queue is full.";
    return { text, more, action: "Try again", mood: "bad" };
  }
  const { text } = describeConnection(session.connection, city, 0);
  if (notice.kind === "over") {
    const { connection } = session;
    const elsewhere = connection.phase === "left" && connection.reason === "session_taken_over";
    const action = elsewhere ? "Play here again" : "Play again";
    return { text: notice.why ?? text, more: "", action, mood: "bad" };
  }
  const seconds = Math.max(1, Math.ceil((notice.atMs - nowMs) / 1000));
  if (notice.to === undefined) {
    const more = `Looking for another region in ${seconds} s…`;
    return { text, more, action: "Look now", mood: "bad" };
  }
  const there = city(notice.to);
  return {
    text,
    more: `Joining ${there} in ${seconds} s…`,
    action: `Play in ${there}`,
    mood: "bad",
  };
}

function clockFace(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function formatMs(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}
