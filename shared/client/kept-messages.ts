/** Messages that wait for a connection, in their order. Each is sent once at most: what is lost then is lost. */

/** One more is dropped. */
export const KEPT_MAX = 32;

export interface KeptMessage {
  readonly type: string;
  readonly payload: unknown;
}

export class KeptMessages {
  readonly #messages: KeptMessage[] = [];

  /** @returns false when there are too many already */
  keep(message: KeptMessage): boolean {
    if (this.#messages.length >= KEPT_MAX) return false;
    this.#messages.push(message);
    return true;
  }

  sendBy(room: { send(type: string, payload: unknown): void } | undefined): void {
    for (const { type, payload } of this.#messages.splice(0)) room?.send(type, payload);
  }
}
