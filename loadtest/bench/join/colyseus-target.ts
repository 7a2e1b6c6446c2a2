/** Stock Colyseus on its default transport: one process, without accounts, with the same game. */
import { fileURLToPath } from "node:url";
import { Child } from "../child.ts";
import type { ColyseusReady } from "./colyseus-server.ts";
import { type JoinTarget, type Reservation, socketPath } from "./join-target.ts";

const SERVER = fileURLToPath(import.meta.resolve("./colyseus-server.ts"));
const HOST = "127.0.0.1";

export async function startColyseus(): Promise<JoinTarget> {
  const [child, { port }] = await Child.start<ColyseusReady>({
    file: SERVER,
    env: { NODE_ENV: "production" },
  });
  return {
    name: "colyseus",
    url: `http://${HOST}:${port}`,
    exchanges: [
      "POST /matchmake/joinOrCreate",
      "websocket upgrade",
      "acknowledgement, first state",
    ],
    acknowledges: true,
    processes: new Map([["colyseus", child.pid]]),
    async takeSeat(http) {
      const reservation = await http.post<Reservation>("/matchmake/joinOrCreate/arena", {});
      return { host: HOST, port, path: socketPath(reservation), localAddress: http.localAddress };
    },
    stop: () => child.stop(),
  };
}
