/**
 * The ranking as a table. Only what differs is written, so that nothing flickers or loses a selection.
 *
 * On a phone the style lays each row out as a block, for which some browsers forget that it is a row: the
 * roles say it again.
 */
import type { ExplainedRegion, ExplainedRoute } from "../../../shared/protocol/route.ts";
import { pictured, SIGN_WORDS, signOf } from "./signs.ts";
import { basisWords, milliseconds, term } from "./words.ts";

/** What is written in one cell: a line, and smaller ones below. */
interface Cell {
  readonly text: string;
  readonly small?: readonly string[];
  readonly className?: string;
}

export function showRanking(body: HTMLElement, { ranking, regionId }: ExplainedRoute): void {
  body.setAttribute("role", "rowgroup");
  body.parentElement?.setAttribute("role", "table");
  while (body.children.length > ranking.length) body.lastElementChild?.remove();
  for (const [index, one] of ranking.entries()) {
    const row = body.children[index] ?? body.appendChild(document.createElement("tr"));
    if (row instanceof HTMLElement) showRow(row, one, one.regionId === regionId);
  }
}

function showRow(row: HTMLElement, one: ExplainedRegion, chosen: boolean): void {
  row.setAttribute("role", "row");
  row.dataset.region = one.regionId;
  row.dataset.state = one.state;
  row.toggleAttribute("data-eligible", one.eligible);
  if (chosen) row.setAttribute("aria-current", "true");
  else row.removeAttribute("aria-current");
  for (const [index, cell] of cellsOf(one).entries()) {
    const kind = index === 0 ? "th" : "td";
    const target = row.children[index] ?? row.appendChild(document.createElement(kind));
    if (target instanceof HTMLElement) showCell(target, cell);
  }
  const [head] = row.children;
  if (head instanceof HTMLElement) showSign(head, one);
}

function cellsOf(one: ExplainedRegion): Cell[] {
  const { verdict, reasons } = one;
  const others = reasons.filter((reason) => reason !== verdict);
  return [
    { text: one.name, small: [SIGN_WORDS[signOf(one)]], className: "region" },
    { text: milliseconds(one.roundTripMs), small: [basisWords(one)], className: "number" },
    { text: one.latencyMs.toFixed(1), className: "number term" },
    { text: term(one.loadMs, "+"), className: "number term" },
    { text: term(one.homeMs, "−"), className: "number term" },
    { text: term(one.friendsMs, "−"), className: "number term" },
    { text: one.score === null ? "–" : one.score.toFixed(1), className: "number score" },
    { text: verdict, small: [others.join(" · ")], className: "why" },
  ];
}

function showCell(target: HTMLElement, { text, small = [], className = "" }: Cell): void {
  const heads = target.tagName === "TH";
  target.setAttribute("role", heads ? "rowheader" : "cell");
  if (heads) target.setAttribute("scope", "row");
  if (target.className !== className) target.className = className;
  const wanted = [text, ...small];
  const lines = [...target.querySelectorAll("span")];
  for (const extra of lines.slice(wanted.length)) extra.remove();
  for (const [index, words] of wanted.entries()) {
    const line = lines[index] ?? target.appendChild(document.createElement("span"));
    if (line.textContent !== words) line.textContent = words;
  }
}

function showSign(head: HTMLElement, one: ExplainedRegion): void {
  const sign = signOf(one);
  if (head.dataset.sign === sign) return;
  head.dataset.sign = sign;
  head.querySelector("svg")?.remove();
  head.prepend(pictured(sign));
}
