/**
 * Who this process is on the private link, as its server and its clients use it. It may be replaced
 * while links are up: connections that exist go on, new ones are made with the new credentials.
 *
 * To replace the CA itself nobody may be cut off half-way: first every process trusts both the old and
 * the new one (a `ca` of two certificates), then certificates are issued by the new one, then the old
 * one is dropped. `npm run authority -- rotate` and `retire` are those steps.
 */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { Cancel } from "../clock.ts";
import type { LinkCredentials } from "./credentials.ts";

export class LinkIdentity {
  #current: LinkCredentials;
  readonly #listeners = new Set<(credentials: LinkCredentials) => void>();

  /** @throws when the key does not belong to the certificate, or one of them is no PEM */
  constructor(credentials: LinkCredentials) {
    createSecureContext(credentials);
    this.#current = credentials;
  }

  get current(): LinkCredentials {
    return this.#current;
  }

  /** Until when the certificate is valid, ms since 1970. */
  get expiresMs(): number {
    return Date.parse(new X509Certificate(this.#current.cert).validTo);
  }

  /** @throws as the constructor does; then everything stays as it was */
  replace(credentials: LinkCredentials): void {
    createSecureContext(credentials);
    this.#current = credentials;
    for (const listener of this.#listeners) listener(credentials);
  }

  onReplaced(listener: (credentials: LinkCredentials) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
