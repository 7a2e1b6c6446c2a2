/** `Authorization: Bearer …`. */
import { MeridianError } from "../../shared/errors.ts";

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]{1,4096})$/i;

/** The token of the header; undefined when there is no header at all.
 * @throws {MeridianError} `unauthorized` when the header has another form
 */
export function bearerOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const token = BEARER.exec(header)?.[1];
  if (token === undefined) {
    throw new MeridianError("unauthorized", { message: "Expected `Authorization: Bearer …`." });
  }
  return token;
}
