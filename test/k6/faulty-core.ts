/** A proxy in front of a core, which answers what a test makes of the core's own answers. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const DEADLINE_MS = 20_000;
/** They speak of the connection, or of the encoding that `fetch` has undone. */
const OWN_HEADERS = [
  "connection",
  "content-encoding",
  "content-length",
  "transfer-encoding",
  "keep-alive",
];

export interface Asked {
  /** For example `/v1/join`. */
  readonly path: string;
  readonly body: unknown;
}

export interface Answered {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** @param ask what the core answers, to another body if one is given */
export type Twist = (asked: Asked, ask: (body?: object) => Promise<Answered>) => Promise<Answered>;

export interface FaultyCore {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startFaultyCore(coreUrl: string, twist: Twist): Promise<FaultyCore> {
  const server = createServer((request, response) => {
    void serve(coreUrl, twist, request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function serve(
  coreUrl: string,
  twist: Twist,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = "GET", url = "/", headers } = request;
  try {
    const given = await textOf(request);
    const ask = async (other?: object): Promise<Answered> => {
      const text = other ? JSON.stringify(other) : given;
      const answer = await fetch(`${coreUrl}${url}`, {
        method,
        headers: {
          ...(headers.authorization && { authorization: headers.authorization }),
          ...(text && { "content-type": "application/json" }),
        },
        ...(text && { body: text }),
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      const kept = [...answer.headers].filter(([name]) => !OWN_HEADERS.includes(name));
      return {
        status: answer.status,
        headers: Object.fromEntries(kept),
        body: await answer.json(),
      };
    };
    const { status, headers: own, body } = await twist({ path: url, body: parsed(given) }, ask);
    response.writeHead(status, { ...own, "content-type": "application/json" });
    response.end(JSON.stringify(body));
  } catch {
    // Whoever asked, or the core, is gone.
    response.destroy();
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  return text === "" ? undefined : JSON.parse(text);
}
