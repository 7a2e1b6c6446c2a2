/**
 * What a browser tells of its network and of its tab's sleep. Elsewhere nothing is ever told.
 *
 * `navigator.connection` also reports every new estimate of bandwidth: only another type of network
 * (Wi-Fi to cellular) is a switch.
 */
import type { Cancel } from "../clock.ts";

export type NetworkEvent = "networkChanged" | "resumed" | "hidden";

interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

export function watchNetwork(notify: (event: NetworkEvent) => void): Cancel {
  if (!("document" in globalThis)) return () => {};
  const { document, navigator } = globalThis;
  const network: NetworkInformation | undefined =
    "connection" in navigator ? (navigator.connection as NetworkInformation) : undefined;
  let type = network?.type;

  const changed = () => notify("networkChanged");
  const retyped = () => {
    if (network?.type === type) return;
    type = network?.type;
    changed();
  };
  const shown = () => {
    notify(document.visibilityState === "visible" ? "resumed" : "hidden");
  };
  globalThis.addEventListener("online", changed);
  network?.addEventListener("change", retyped);
  document.addEventListener("visibilitychange", shown);
  return () => {
    globalThis.removeEventListener("online", changed);
    network?.removeEventListener("change", retyped);
    document.removeEventListener("visibilitychange", shown);
  };
}
