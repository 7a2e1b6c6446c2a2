/**
 * PowerDNS' remote backend protocol: a JSON object a line, one answer for each question, in order
 * (https://doc.powerdns.com/authoritative/backends/remote.html). Pure.
 *
 * An answer without `result` makes PowerDNS tell its client SERVFAIL, so that it asks another name server;
 * `false` or an empty list would say that there is no such name.
 */
import { z } from "zod";
import { type DnsRecord, plainName, type Zone } from "./zone.ts";

const QNAME_CHARACTERS_MAX = 1_024;

const Question = z.object({
  method: z.string().max(64),
  parameters: z.record(z.string(), z.unknown()).nullish(),
});

const Lookup = z.object({
  qname: z.string().max(QNAME_CHARACTERS_MAX),
  qtype: z.string().max(32),
  remote: z.string().max(64).default(""),
  "real-remote": z.string().max(64).optional(),
});

const DomainName = z.object({ name: z.string().max(QNAME_CHARACTERS_MAX) });

export type BackendQuestion =
  | {
      readonly method: "lookup";
      readonly qname: string;
      readonly qtype: string;
      readonly remote: string;
      readonly realRemote: string | undefined;
    }
  | { readonly method: "initialize" | "getAllDomains" | "other" }
  | { readonly method: "getDomainInfo"; readonly name: string };

/** Undefined for what is no question of the protocol. */
export function parseQuestion(line: string): BackendQuestion | undefined {
  const { data } = Question.safeParse(jsonOf(line));
  if (!data) return undefined;
  const { method, parameters } = data;
  if (method === "initialize" || method === "getAllDomains") return { method };
  if (method === "lookup") {
    const lookup = Lookup.safeParse(parameters);
    if (!lookup.success) return undefined;
    const { "real-remote": realRemote, ...rest } = lookup.data;
    return { method, ...rest, realRemote };
  }
  if (method === "getDomainInfo") {
    const domain = DomainName.safeParse(parameters);
    return domain.success ? { method, name: domain.data.name } : undefined;
  }
  return { method: "other" };
}

export function recordsLine(records: readonly DnsRecord[]): string {
  return line({ result: records });
}

/** What is asked of the zone as a whole; all that we don't do is refused. */
export function zoneLine(
  question: Exclude<BackendQuestion, { readonly method: "lookup" }>,
  zone: Zone,
): string {
  const info = { id: 1, zone: `${zone.zone}.`, kind: "native", serial: 1, masters: [] };
  if (question.method === "initialize") return line({ result: true });
  if (question.method === "getAllDomains") return line({ result: [info] });
  const isOurs = question.method === "getDomainInfo" && plainName(question.name) === zone.zone;
  return line({ result: isOurs ? info : false });
}

/** The question can't be answered now. */
export function unknownLine(): string {
  return line({ log: ["nothing is known of the regions yet"] });
}

/** What was no question. */
export function refusalLine(): string {
  return line({ result: false });
}

function line(content: object): string {
  return `${JSON.stringify(content)}\n`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whatever it is, it is no question.
    return undefined;
  }
}
