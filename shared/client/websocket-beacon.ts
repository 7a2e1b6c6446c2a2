/**
 * Round trips over a region's websocket beacon: one connection, whose tiny frames come back as they are.
 * That is how play itself travels, without the headers of an HTTP request. The first echo is a warm-up
 * and counts only where none came after it in time: a far region is better known roughly than not at all.
 */
import type { Clock } from "../clock.ts";

const SAMPLES = 3;
/** Once echoes took so long in all, there are enough: of a far region fewer tell as much. */
const ENOUGH_MS = 400;

/** Opens a websocket, or throws where the page may not. */
export type OpenSocket = (url: string) => WebSocket;

export interface Echoing {
  readonly open: OpenSocket;
  readonly clock: Clock;
  /** Ends it, with what was measured before. */
  readonly signal: AbortSignal;
}

/**
 * @param url of the beacon, such as `wss://play.example.com/ping`
 * @param echoesMs takes the ms of each echo as it comes, the warm-up first
 * @returns when there is no more to come; never rejects
 */
export function measureEchoes(
  url: string,
  { open, clock, signal }: Echoing,
  echoesMs: number[],
): Promise<void> {
  return new Promise((resolve) => {
    const socket = openOrNone(open, url);
    if (!socket) {
      resolve();
      return;
    }
    let sentAtMs = 0;
    let spentMs = 0;
    const send = () => {
      sentAtMs = clock.monotonicMs();
      socket.send(String(echoesMs.length));
    };
    const end = () => {
      socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
      signal.removeEventListener("abort", end);
      socket.close();
      resolve();
    };
    socket.onopen = send;
    socket.onmessage = ({ data }) => {
      // Something else than a beacon speaks there, and its times mean nothing.
      if (data !== String(echoesMs.length)) {
        end();
        return;
      }
      const echoMs = clock.monotonicMs() - sentAtMs;
      echoesMs.push(echoMs);
      spentMs += echoMs;
      if (echoesMs.length > SAMPLES || spentMs > ENOUGH_MS) end();
      else send();
    };
    // Node's websocket has no close event after a failed upgrade.
    socket.onerror = socket.onclose = end;
    signal.addEventListener("abort", end, { once: true });
  });
}

/** The samples that count. */
export function withoutWarmUp(echoesMs: readonly number[]): readonly number[] {
  return echoesMs.length > 1 ? echoesMs.slice(1) : echoesMs;
}

function openOrNone(open: OpenSocket, url: string): WebSocket | undefined {
  try {
    return open(url);
  } catch {
    // A policy of the page or of the browser forbids it: as good as one that is blocked on the way.
    return undefined;
  }
}
