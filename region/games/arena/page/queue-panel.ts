/** The panel of a player who waits: place, progress, how long, and the offer of another region. */
import type { Connection } from "../../../../shared/client/connection.ts";
import { element, setText } from "./dom.ts";
import {
  countdown,
  etaInWords,
  moreInWords,
  offerInWords,
  ordinal,
  placeInWords,
  progressOf,
} from "./queue-words.ts";
import type { ArenaSession } from "./session.ts";

const ui = {
  panel: element("queue"),
  title: element("queue-title"),
  progress: element("queue-progress") as HTMLProgressElement,
  eta: element("queue-eta"),
  more: element("queue-more"),
  offer: element("offer"),
  offerText: element("offer-text"),
  accept: element("offer-accept"),
};
const TITLE = document.title;

/** The buttons do what they say. */
export function attachQueue(session: ArenaSession): void {
  ui.accept.addEventListener("click", () => session.acceptOffer());
  element("offer-decline").addEventListener("click", () => session.declineOffers());
  element("queue-leave").addEventListener("click", () => session.leaveQueue());
}

/** @param nowMs of `performance.now()` */
export function showQueue(session: ArenaSession, nowMs: number): void {
  const { connection } = session;
  setTitle(connection);
  const city = (regionId: string) => session.city(regionId);
  ui.panel.hidden = !("place" in connection);
  if (!("place" in connection)) return;
  const { place } = connection;
  const wallMs = Date.now();
  setText(ui.title, placeInWords(place, city));
  ui.progress.value = progressOf(place, wallMs);
  const opensInMs = place.opensAtMs === undefined ? undefined : place.opensAtMs - wallMs;
  const eta = etaInWords(place.eta, nowMs - session.sinceMs);
  setText(ui.eta, opensInMs === undefined ? eta : `Opens in ${countdown(opensInMs)}`);
  setText(ui.more, moreInWords(place, city));
  const [offer] = connection.phase === "offered" ? connection.offers : [];
  ui.offer.hidden = !offer;
  if (!offer) return;
  setText(ui.offerText, `${city(offer.regionId)} would have you sooner. You keep your place here.`);
  setText(ui.accept, offerInWords(offer, city));
}

/** Whoever looks elsewhere sees in the tab how far it is. */
function setTitle(connection: Connection): void {
  const title = document.hidden ? (titleOf(connection) ?? TITLE) : TITLE;
  if (document.title !== title) document.title = title;
}

function titleOf(connection: Connection): string | undefined {
  if (connection.phase === "admitted") return "Your turn! · Arena";
  if (!("place" in connection)) return undefined;
  const { position } = connection.place;
  const offered = connection.phase === "offered" ? "Offer · " : "";
  return `${offered}${position === null ? "Opening soon" : `${ordinal(position)} in line`} · Arena`;
}
