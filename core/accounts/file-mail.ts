/** The mail hook for a developer's machine: each mail is a line of JSON in a file. */
import { appendFile } from "node:fs/promises";
import type { Logger } from "pino";
import type { Mail, MailHook } from "./mail-hook.ts";

export class FileMail implements MailHook {
  readonly #path: string;
  readonly #log: Logger;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  async send(mail: Mail): Promise<void> {
    // Only this user may read it: whoever has the link has the account.
    await appendFile(this.#path, `${JSON.stringify(mail)}\n`, { mode: 0o600 });
    this.#log.info({ kind: mail.kind, file: this.#path }, "a mail was written to a file");
  }
}
