/** The ways to log in that can be attacked: what an account's owner sends, and what a guesser does. */
import { randomBytes } from "node:crypto";
import { GuestAnswer } from "../../shared/protocol/accounts.ts";
import { EmailLogInAnswer } from "../../shared/protocol/emails.ts";

export interface LogInTarget {
  readonly name: string;
  /** Of the core's public API. */
  readonly route: string;
  /** Makes an account there, over the core's own API; answers the body that logs in to it. */
  createAccount(coreUrl: string): Promise<unknown>;
  /** A body of the right form, with credentials that are wrong. */
  wrongBody(): unknown;
}

const SECRET_BYTES = 32;

const guests: LogInTarget = {
  name: "guests",
  route: "/v1/guests",
  async createAccount(coreUrl) {
    const response = await fetch(`${coreUrl}/v1/guests`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    if (!response.ok) throw new Error(`no guest could be made: ${response.status}`);
    return { secret: GuestAnswer.parse(await response.json()).secret };
  },
  wrongBody: () => ({ secret: randomBytes(SECRET_BYTES).toString("base64url") }),
};

const PASSWORD = "correct horse battery";
const addresses: string[] = [];

/** Owners come back on a device that the account knows; the guesser knows addresses, and no device. */
const emails: LogInTarget = {
  name: "emails",
  route: "/v1/emails/log-in",
  async createAccount(coreUrl) {
    const email = `${randomBytes(8).toString("hex")}@example.org`;
    const response = await fetch(`${coreUrl}/v1/emails/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email, password: PASSWORD }),
    });
    if (!response.ok) throw new Error(`no account could be made: ${response.status}`);
    const { deviceToken } = EmailLogInAnswer.parse(await response.json());
    addresses.push(email);
    return { email, password: PASSWORD, deviceToken };
  },
  wrongBody: () => ({
    email: addresses[Math.floor(Math.random() * addresses.length)] ?? "nobody@example.org",
    password: randomBytes(SECRET_BYTES).toString("base64url"),
  }),
};

export const logInTargets: readonly LogInTarget[] = [emails, guests];
