/** Structured logs, one JSON object a line, on standard output. Secrets are removed by name. */
import { type Logger, pino } from "pino";

const SECRET_FIELDS = [
  "secret",
  "token",
  "ticket",
  "accessToken",
  "refreshToken",
  "reconnectionToken",
  "password",
  "authorization",
  "cookie",
];

/**
 * @param name of the process, for example `core` or `region`
 * @param level a pino level: trace, debug, info, warn, error, fatal or silent
 * @param fields put on every line beside the process id, for example the node's id
 */
export function createLog(
  name: string,
  level: string,
  fields: Record<string, string> = {},
): Logger {
  return pino({
    name,
    level,
    base: { pid: process.pid, ...fields },
    redact: {
      paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: "[removed]",
    },
  });
}
