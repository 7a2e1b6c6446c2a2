/** Who listens to a room's messages, by their type. */
import type { Cancel } from "../clock.ts";
import { add, tell } from "./listeners.ts";

type Listener = (payload: unknown) => void;

export class MessageListeners {
  readonly #byType = new Map<string | number, Set<Listener>>();

  add(type: string | number, listener: Listener): Cancel {
    const listeners = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, listeners);
    return add(listeners, listener);
  }

  tell(type: string | number, payload: unknown): void {
    tell(this.#byType.get(type) ?? [], (listener) => listener(payload));
  }
}
