/** The page: shows the state, and sends where the player clicks. */
import "../../../../shared/client/no-eval.ts";
import type { Connection } from "../../../../shared/client/connection.ts";
import { Meridian } from "../../../../shared/client/meridian.ts";
import type { Play } from "../../../../shared/client/play.ts";
import type { TemplateState } from "../template-state.ts";

const line = document.querySelector("#line") as HTMLElement;
const field = document.querySelector("#field") as SVGSVGElement;
const star = document.querySelector("#star") as SVGCircleElement;
const scores = document.querySelector("#scores") as HTMLElement;
const NEWS_MS = 1_500;

async function main(): Promise<void> {
  const meridian = new Meridian({ url: location.origin });
  const play = await meridian.join<TemplateState>("template", {
    onConnection: (connection) => say(inWords(connection)),
  });
  show(play);
  play.onChange(() => show(play));
  play.onMessage("caught", (news) => {
    if (isNews(news)) say(`${news.by} caught it!`);
    setTimeout(() => say(play.connection.phase), NEWS_MS);
  });
  play.onConnection(({ phase }) => {
    // The room is gone for good: look for another one.
    if (phase === "lost") play.rejoin().catch((error: Error) => say(error.message));
  });
  field.addEventListener("pointerdown", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = at.matrixTransform(field.getScreenCTM()?.inverse());
    play.send("catch", { x, y });
  });
}

function show({ state, sessionId }: Play<TemplateState>): void {
  star.setAttribute("cx", String(state.starX));
  star.setAttribute("cy", String(state.starY));
  const rows = [...state.players.entries()].sort(([, a], [, b]) => b.score - a.score);
  scores.replaceChildren(
    ...rows.map(([id, { name, score }]) => {
      const row = document.createElement("li");
      row.textContent = `${name}: ${score}`;
      row.className = id === sessionId ? "mine" : "";
      return row;
    }),
  );
}

/** Where every seat is taken, one waits in a queue: the join takes as long as that does. */
function inWords(connection: Connection): string {
  if (!("place" in connection)) return connection.phase;
  const { position, eta } = connection.place;
  const minutes = eta ? `, about ${Math.ceil(eta.ms / 60_000)} min` : "";
  return position === null ? "opens soon" : `number ${position} in line${minutes}`;
}

function say(text: string): void {
  line.textContent = text;
}

function isNews(news: unknown): news is { by: string } {
  return typeof news === "object" && news !== null && "by" in news;
}

main().catch((error: Error) => say(error.message));
