/**
 * The little of an event emitter that Colyseus uses of a connection: `on`, `once`, `removeListener`,
 * `removeAllListeners` for "message" and "close". Lists are replaced, never changed, so an emit
 * allocates nothing and a listener may remove itself or others while it runs.
 */
export type EventName = "message" | "close";
type Listener = (argument: never) => unknown;
interface Entry {
  readonly call: (argument: unknown) => unknown;
  readonly listener: Listener;
  readonly once: boolean;
}

const NONE: readonly Entry[] = [];

export class Listeners {
  #entries: Record<EventName, readonly Entry[]> = { message: NONE, close: NONE };

  on(event: EventName, listener: Listener): this {
    return this.#add(event, listener, false);
  }

  once(event: EventName, listener: Listener): this {
    return this.#add(event, listener, true);
  }

  removeListener(event: EventName, listener: Listener): this {
    this.#entries[event] = this.#entries[event].filter((entry) => entry.listener !== listener);
    return this;
  }

  off(event: EventName, listener: Listener): this {
    return this.removeListener(event, listener);
  }

  /** Without an event: of all events. */
  removeAllListeners(event?: EventName): this {
    if (event === undefined) this.#entries = { message: NONE, close: NONE };
    else this.#entries[event] = NONE;
    return this;
  }

  /**
   * Calls the listeners in order. One that throws ends the round and its error is the caller's; a
   * promise that one answers with is handed to `onPromise`, so that its failure has an owner.
   */
  protected emit(
    event: EventName,
    argument: unknown,
    onPromise: (promise: PromiseLike<unknown>) => void,
  ): void {
    for (const entry of this.#entries[event]) {
      if (entry.once) this.removeListener(event, entry.listener);
      const result = entry.call(argument);
      if (isPromise(result)) onPromise(result);
    }
  }

  #add(event: EventName, listener: Listener, once: boolean): this {
    // Colyseus' listeners take exactly what their event carries: a frame, or a close code.
    const call = listener as Entry["call"];
    this.#entries[event] = [...this.#entries[event], { call, listener, once }];
    return this;
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}
