/** HTTP calls of one player after the other, from one address, over a connection that is kept open. */
import { Client } from "undici";

export class KeptConnection {
  readonly localAddress: string | undefined;
  readonly #client: Client;

  constructor(url: string, localAddress: string | undefined) {
    this.localAddress = localAddress;
    this.#client = new Client(url, localAddress === undefined ? {} : { localAddress });
  }

  /** @throws for any other answer than 200 */
  async post<Answer>(path: string, body: object, accessToken?: string): Promise<Answer> {
    const answer = await this.#client.request({
      method: "POST",
      path,
      headers: {
        "content-type": "application/json",
        ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
      },
      body: JSON.stringify(body),
    });
    if (answer.statusCode === 200) return (await answer.body.json()) as Answer;
    throw new Error(`${path}: ${answer.statusCode} ${await answer.body.text()}`);
  }

  close(): Promise<void> {
    return this.#client.destroy();
  }
}
