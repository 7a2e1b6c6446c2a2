/** Cuts what a connection sends into lines, of bounded length. */

const NEWLINE = 0x0a;

export class Lines {
  readonly #bytesMax: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The lines that are whole by now; undefined when one is too long: nothing more can be made of it. */
  take(chunk: Buffer): string[] | undefined {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const lines: string[] = [];
    let from = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, from)) {
      if (end - from > this.#bytesMax) return undefined;
      lines.push(data.toString("utf8", from, end));
      from = end + 1;
    }
    if (data.length - from > this.#bytesMax) return undefined;
    // A copy: a piece of it would keep the whole chunk.
    this.#rest = Buffer.from(data.subarray(from));
    return lines;
  }
}
