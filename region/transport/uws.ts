/**
 * The one place that imports uWebSockets.js. The pinned repack exports names only; the official
 * package from GitHub has everything on its default export. Either is taken.
 */
import type { HttpRequest, HttpResponse, TemplatedApp, WebSocket } from "uWebSockets.js";
import * as imported from "uWebSockets.js";

export type { HttpRequest, HttpResponse, WebSocketBehavior } from "uWebSockets.js";
export type UwsApp = TemplatedApp;
export type UwsSocket<UserData> = WebSocket<UserData>;
export type UpgradeContext = Parameters<HttpResponse["upgrade"]>[4];
export type UpgradeHandler = (res: HttpResponse, req: HttpRequest, context: UpgradeContext) => void;

/** What `send` answers when the message was dropped because too much is waiting already. */
export const SEND_DROPPED = 2;

type Library = Pick<typeof imported, "App" | "us_listen_socket_close" | "us_socket_local_port"> & {
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  readonly DISABLED: number;
};

const library = libraryIn(imported);

export const NO_COMPRESSION = library.DISABLED;

export function createUwsApp(): UwsApp {
  return library.App();
}

export interface Listener {
  readonly port: number;
  /** Takes no new connections; those that are open stay. */
  close(): void;
}

/**
 * Listens on exactly this address, and on a port that nobody else listens on: without the option
 * two processes could share one and each get half of the players.
 * @throws when the address can't be had
 */
export function listen(app: UwsApp, host: string, port: number): Promise<Listener> {
  // The addon takes (host, port, options, callback); its declarations list every shorter form only.
  const full = app as unknown as {
    listen(host: string, port: number, options: number, done: (socket: unknown) => void): void;
  };
  type ListenSocket = Parameters<Library["us_listen_socket_close"]>[0];
  return new Promise((resolve, reject) => {
    full.listen(host, port, library.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
      if (!socket) {
        reject(new Error(`can't listen on ${host}:${port}: is the port in use?`));
        return;
      }
      const listening = socket as ListenSocket;
      resolve({
        port: library.us_socket_local_port(listening),
        close: () => library.us_listen_socket_close(listening),
      });
    });
  });
}

/** Whichever of the two shapes the installed package has. */
export function libraryIn(module: object): Library {
  if ("App" in module) return module as Library;
  if ("default" in module && typeof module.default === "object" && module.default !== null) {
    return libraryIn(module.default);
  }
  throw new Error("the installed uWebSockets.js has neither named exports nor a default export");
}
