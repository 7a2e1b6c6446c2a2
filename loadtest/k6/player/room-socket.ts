/** One websocket to a room, by k6's own: of one that was dropped nothing more is heard. */
import { WebSocket } from "k6/websockets";
import type { JoinAnswer } from "../../../shared/protocol/join.ts";

const ABNORMAL_CLOSURE = 1006;
const OPEN = 1;

export interface SocketListener {
  /** @param atMs when it came from the network, which is before the script gets to it */
  message(bytes: Uint8Array, atMs: number): void;
  closed(code: number, reason: string): void;
}

/** What k6 tells of a close, which its types leave out. */
interface Closed {
  readonly code?: number;
  readonly reason?: string;
}

export class RoomSocket {
  readonly #socket: WebSocket;
  #dropped = false;

  constructor(url: string, listener: SocketListener) {
    const socket = new WebSocket(url, null, { tags: { name: "room" } });
    socket.binaryType = "arraybuffer" as typeof socket.binaryType;
    socket.onmessage = (message) => {
      const { data, timestamp = Date.now() } = message ?? {};
      if (this.#dropped || !(data instanceof ArrayBuffer)) return;
      listener.message(new Uint8Array(data), timestamp);
    };
    const closed = ({ code = ABNORMAL_CLOSURE, reason = "" }: Closed = {}) => {
      if (this.#dropped) return;
      this.#dropped = true;
      listener.closed(code, reason);
    };
    socket.onclose = closed as () => void;
    // A close follows, which says what there is to say.
    socket.onerror = () => {};
    this.#socket = socket;
  }

  /** @returns whether it could be sent */
  send(frame: ArrayBuffer): boolean {
    if (this.#dropped || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(frame);
    return true;
  }

  /** k6 can't close a connection that is being opened: its event loop would stand still. */
  drop(): void {
    if (this.#dropped) return;
    const socket = this.#socket;
    this.#dropped = true;
    if (socket.readyState === OPEN) socket.close();
    else socket.onopen = () => socket.close();
  }
}

/** Where the seat is, for a newcomer or, with the token, for who was there. */
export function addressOf(
  { reservation }: JoinAnswer,
  scheme: string,
  reconnectionToken: string,
): string {
  const { publicAddress, processId, roomId, sessionId } = reservation;
  const token = reconnectionToken && `&reconnectionToken=${reconnectionToken}`;
  // Whatever may come is listened to already, so the room need not be told so first.
  return `${scheme}//${publicAddress}/${processId}/${roomId}?sessionId=${sessionId}&acknowledged=1${token}`;
}
