/** The arena's page: wires the session, the scene, the hands and the panels together. */
import "../../../../shared/client/no-eval.ts";
import { pickStorage } from "../../../../shared/client/storage.ts";
import type { Point } from "../arena-map.ts";
import { element } from "./dom.ts";
import type { ArenaHooks, ShownPlayer } from "./hooks.ts";
import { showGame, showSession } from "./hud.ts";
import { Input } from "./input.ts";
import { attachKillButton } from "./kill-button.ts";
import { randomName } from "./names.ts";
import { attachQueue } from "./queue-panel.ts";
import { Renderer } from "./renderer.ts";
import { type Figure, Scene } from "./scene.ts";
import { ArenaSession } from "./session.ts";
import { Steering } from "./steering.ts";

const HUD_EVERY_MS = 200;
const NAME_KEY = "arena.name";
/** How long the rules of the game stay on the screen. */
const HINT_MS = 14_000;

const canvas = element("ground") as HTMLCanvasElement;
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const parameters = new URLSearchParams(location.search);
const url = parameters.get("core") ?? location.origin;

const remembered = pickStorage(true);
const scene = new Scene(Math.random, still);
const renderer = new Renderer(canvas, still);
const input = new Input();
let words = "";
let states = 0;
let roomId = "";
let override: Point | undefined;
/** Whether the player had the time to read the rules; whoever waits in the queue needs none yet. */
let hinted = false;

const session = new ArenaSession(
  url,
  () => {
    if (session.connection.phase === "playing") {
      steering.forget();
      if (!hinted) setTimeout(hideHint, HINT_MS);
      hinted = true;
    }
    words = showSession(session, performance.now());
  },
  (state) => {
    if (session.play && session.play.roomId !== roomId) {
      roomId = session.play.roomId;
      scene.reset();
    }
    states += 1;
    scene.told(state, session.play?.sessionId ?? "", performance.now());
  },
);
const steering = new Steering((push) => session.play?.send("move", push) ?? false);

function steer(nowMs: number): void {
  const me = scene.prediction.at(nowMs);
  const direction = override ?? input.direction(renderer.toScreen(me ?? { x: 0, y: 0 }));
  const push = steering.update(direction, nowMs);
  if (push) scene.prediction.pushed(push, push.input, nowMs);
}

function frame(): void {
  const nowMs = performance.now();
  if (scene.state) steer(nowMs);
  renderer.draw(scene, input.stick, nowMs);
  requestAnimationFrame(frame);
}

function showPanels(): void {
  words = showSession(session, performance.now());
  showGame(scene.state, session.play?.sessionId ?? "", session.online);
}

function welcome(): void {
  const field = element("name") as HTMLInputElement;
  const known = parameters.get("name") ?? remembered.getItem(NAME_KEY);
  field.value = known ?? randomName(Math.random);
  element("rename").addEventListener("submit", (event) => {
    event.preventDefault();
    canvas.focus();
  });
  field.addEventListener("change", () => {
    const name = field.value.trim();
    if (name === "") return;
    remembered.setItem(NAME_KEY, name);
    // A refusal leaves the old name on the screen.
    void session.rename(name);
  });
  element("notice-action").addEventListener("click", () => void session.enter(field.value));
  element("hint-close").addEventListener("click", hideHint);
  element("invite").addEventListener("click", () => void invite());
  canvas.focus();
  const [room, region] = ["room", "region"].map((name) => parameters.get(name) ?? undefined);
  void session.enter(field.value, { room, region });
}

/** Gives the player a link that leads friends to this very room. */
async function invite(): Promise<void> {
  const link = new URL(location.pathname, location.href);
  link.searchParams.set("room", session.play?.roomId ?? "");
  try {
    await navigator.clipboard.writeText(link.href);
    element("invite").textContent = "Link copied";
  } catch {
    // Without https, or the player's leave, there is no clipboard: the link is shown instead.
    prompt("A link to this room:", link.href);
  }
}

function hideHint(): void {
  element("hint").hidden = true;
}

function shown({ name, x, y, carried, score, connected }: Figure): ShownPlayer {
  return { name, x, y, carried, score, connected };
}

const hooks: ArenaHooks = {
  get connection() {
    return session.connection;
  },
  get words() {
    return words;
  },
  get regionId() {
    return session.regionId ?? null;
  },
  get roomId() {
    return session.play?.roomId ?? null;
  },
  get sessionId() {
    return session.play?.sessionId ?? null;
  },
  get me() {
    const me = scene.figures(performance.now()).find((figure) => figure.me);
    return me ? shown(me) : null;
  },
  get others() {
    return scene
      .figures(performance.now())
      .filter(({ me }) => !me)
      .map(shown);
  },
  get coins() {
    return scene.state?.coins.size ?? 0;
  },
  get owned() {
    return session.belongings.owned ?? null;
  },
  get story() {
    return session.story.lines.map(({ text }) => text);
  },
  get roundTripsMs() {
    return session.roundTripsMs;
  },
  get states() {
    return states;
  },
  steer(x, y) {
    override = x === undefined || y === undefined ? undefined : { x, y };
  },
};
window.arena = hooks;

input.attach(canvas, () => steer(performance.now()));
attachQueue(session);
void attachKillButton(session);
document.addEventListener("visibilitychange", showPanels);
welcome();
session.watchRegions();
setInterval(showPanels, HUD_EVERY_MS);
requestAnimationFrame(frame);
