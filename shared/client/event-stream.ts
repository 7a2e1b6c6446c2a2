/**
 * Reads server-sent events from bytes. `EventSource` itself can send neither a body nor headers, and tokens
 * don't belong into an address. What it says of reconnecting (`id`, `retry`) is not used here.
 *
 * Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */

/** More without an end is no event of ours. */
const CHARACTERS_MAX = 65_536;

export interface StreamedEvent {
  readonly name: string;
  readonly data: string;
}

export class EventStream {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** @returns the events that are complete now @throws {RangeError} for one that is too long */
  push(bytes: Uint8Array): StreamedEvent[] {
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    const blocks = text.split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? "";
    if (this.#rest.length > CHARACTERS_MAX) throw new RangeError("an event is too long");
    return blocks.flatMap(eventIn);
  }
}

/** None for comments, with which a server keeps the stream open. */
function eventIn(block: string): StreamedEvent[] {
  let name = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [field, value = ""] = line.split(/: ?(.*)/s);
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
  return data.length > 0 ? [{ name, data: data.join("\n") }] : [];
}
