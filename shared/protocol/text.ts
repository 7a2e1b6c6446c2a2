/** Free text from outside that is stored or shown. */
import { z } from "zod";

/**
 * 1 to `lengthMax` characters (UTF-16 units) that can be shown: none is a control character, an invisible
 * format or half of a surrogate pair. PostgreSQL takes no NUL in text, and a log line no escape sequence.
 */
export function printableText(lengthMax: number) {
  return z
    .string()
    .min(1)
    .max(lengthMax)
    .regex(/^[^\p{C}]+$/u, "printable characters only");
}
