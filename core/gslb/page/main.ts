/** The map page: asks the core every few seconds where this browser would play, and shows why. */
import "../../../shared/client/no-eval.ts";
import { Meridian } from "../../../shared/client/meridian.ts";
import { isFailure } from "../../../shared/errors.ts";
import type { ExplainedRoute } from "../../../shared/protocol/route.ts";
import { showRanking } from "./region-table.ts";
import { pictured, SIGN_WORDS, type Sign } from "./signs.ts";
import { choiceWords, placeWords } from "./words.ts";
import { WorldMap } from "./world-map.ts";

const REFRESH_MS = 4_000;

const parameters = new URLSearchParams(location.search);
const game = parameters.get("game") ?? undefined;
const region = parameters.get("region") ?? undefined;
const meridian = new Meridian({ url: location.origin });

const choice = element("choice");
const place = element("place");
const ranking = element("ranking");
const again = element("again") as HTMLButtonElement;
const measured = element("measured") as HTMLInputElement;
const extent = element("extent");
const map = new WorldMap(document.querySelector("#world") as SVGSVGElement);
/** Of the question asked last: an answer to an earlier one comes too late. */
let asked = 0;

/** @throws when the page has no such element: a mistake in `index.html` */
function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

function say(target: HTMLElement, words: string): void {
  if (target.textContent !== words) target.textContent = words;
}

function show(route: ExplainedRoute): void {
  document.body.toggleAttribute("data-stale", false);
  say(choice, choiceWords(route));
  say(place, placeWords(route));
  showRanking(ranking, route);
  map.show(route);
}

async function refresh(counts = measured.checked): Promise<void> {
  asked += 1;
  const question = asked;
  try {
    const wish = { measured: counts, ...(game && { game }), ...(region && { region }) };
    const route = await meridian.route(wish);
    if (question === asked) show(route);
  } catch (error) {
    if (!isFailure(error)) throw error;
    if (question !== asked) return;
    // What was known stays on the screen, and is told apart.
    document.body.toggleAttribute("data-stale", true);
    say(choice, `No answer: ${error.message}`);
  }
}

async function measureAgain(): Promise<void> {
  again.disabled = true;
  measured.checked = true;
  try {
    await meridian.measureRegions({ maxAgeMs: 0 });
  } catch (error) {
    // The refresh says what is wrong.
    if (!isFailure(error)) throw error;
  }
  await refresh();
  again.disabled = false;
}

function toggleExtent(): void {
  const whole = extent.getAttribute("aria-pressed") !== "true";
  extent.setAttribute("aria-pressed", String(whole));
  map.extend(whole);
}

function showLegend(): void {
  const entries: [Sign | "you", string][] = [
    ["you", "you"],
    ...(Object.entries(SIGN_WORDS) as [Sign, string][]),
  ];
  for (const [sign, words] of entries) {
    const item = document.createElement("li");
    item.append(pictured(sign), words);
    element("legend").append(item);
  }
}

showLegend();
again.addEventListener("click", () => void measureAgain());
measured.addEventListener("change", () => void refresh());
extent.addEventListener("click", toggleExtent);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void refresh();
});
setInterval(() => {
  if (!document.hidden && !again.disabled) void refresh();
}, REFRESH_MS);
// By distance at first: that takes no time.
void refresh(false).then(() => refresh());
