/**
 * Asks one URL over kept connections, one request at a time on each, with as few instructions as will do: the
 * generator must not be what is measured. It trusts the server to send a Content-Length, as ours do.
 */
import { connect, type Socket } from "node:net";
import { systemClock } from "../../../shared/clock.ts";

const HEAD_END = "\r\n\r\n";
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

/** @returns the answers within that time; the connections are closed */
export async function countAnswers(
  url: URL,
  { connections, ms }: { readonly connections: number; readonly ms: number },
): Promise<number> {
  const endMs = systemClock.monotonicMs() + ms;
  const counts = Array.from({ length: connections }, () => askUntil(url, endMs));
  return (await Promise.all(counts)).reduce((a, b) => a + b, 0);
}

function askUntil({ hostname, port, pathname, host }: URL, endMs: number): Promise<number> {
  const request = `GET ${pathname} HTTP/1.1\r\nHost: ${host}${HEAD_END}`;
  const socket: Socket = connect(Number(port), hostname);
  let answers = 0;
  /** Bytes of the answer that are still to come; undefined before its length is known. */
  let left: number | undefined;
  let head = "";
  return new Promise((resolve, reject) => {
    socket.on("connect", () => socket.write(request));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed a kept connection")));
    socket.on("data", (bytes: Buffer) => {
      if (left === undefined) {
        head += bytes.toString("latin1");
        const end = head.indexOf(HEAD_END);
        if (end < 0) return;
        if (!head.startsWith("HTTP/1.1 200 ")) return reject(new Error(head.slice(0, end)));
        const length = Number(CONTENT_LENGTH.exec(head)?.[1]);
        left = length - (head.length - end - HEAD_END.length);
      } else left -= bytes.length;
      if (left > 0) return;
      answers += 1;
      left = undefined;
      head = "";
      if (systemClock.monotonicMs() < endMs) return socket.write(request);
      resolve(answers);
      socket.destroy();
    });
  });
}
