import type { AuthContext } from "@colyseus/core";
import type { HttpRequest, HttpResponse } from "./uws.ts";

/** What a room's `onAuth` may want to know of the request; no proxy's word is taken for the address. */
export function authContext(res: HttpResponse, req: HttpRequest): AuthContext {
  const headers = new Headers();
  for (const name of ["origin", "user-agent", "accept-language"]) {
    const value = req.getHeader(name);
    if (value !== "") headers.set(name, value);
  }
  return { headers, ip: Buffer.from(res.getRemoteAddressAsText()).toString() };
}
