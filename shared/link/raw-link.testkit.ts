/** For tests: posts any text at all over a private link, as no client of ours would. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { LinkCredentials } from "./credentials.ts";

export interface RawAnswer {
  readonly status: number;
  readonly body: unknown;
}

export class RawLink {
  readonly #agent: Agent;
  readonly #port: number;

  /** @param address `host:port` on this machine */
  constructor(address: string, credentials: LinkCredentials) {
    this.#port = Number(address.split(":")[1]);
    // Whom the other end's certificate names is checked elsewhere.
    const checkServerIdentity = () => undefined;
    this.#agent = new Agent({ ...credentials, checkServerIdentity, keepAlive: true });
  }

  async post(path: string, text: string): Promise<RawAnswer> {
    const posting = request({
      agent: this.#agent,
      host: "127.0.0.1",
      port: this.#port,
      path,
      method: "POST",
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
    });
    posting.end(text);
    const [answer] = (await once(posting, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    return { status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) };
  }

  close(): void {
    this.#agent.destroy();
  }
}
