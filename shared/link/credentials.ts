/** What a process needs to speak on the private link: the CA it trusts, its certificate and key. */
import { readFileSync } from "node:fs";
import { as, type Setting } from "../config.ts";

export interface LinkCredentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The settings that both core and region have for their link. */
export const linkSettings = {
  LINK_CA_FILE: {
    schema: as.text,
    description: "PEM file with the certificate of the private link's CA.",
  },
  LINK_CERT_FILE: {
    schema: as.text,
    description: "PEM file with this process's certificate for the private link.",
  },
  LINK_KEY_FILE: { schema: as.text, description: "PEM file with the key of that certificate." },
} satisfies Record<string, Setting<string>>;

export function readLinkCredentials(config: {
  readonly LINK_CA_FILE: string;
  readonly LINK_CERT_FILE: string;
  readonly LINK_KEY_FILE: string;
}): LinkCredentials {
  return {
    ca: readFileSync(config.LINK_CA_FILE, "utf8"),
    cert: readFileSync(config.LINK_CERT_FILE, "utf8"),
    key: readFileSync(config.LINK_KEY_FILE, "utf8"),
  };
}
