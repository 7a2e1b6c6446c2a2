/**
 * To be imported before anything that makes a schema: the page's content security policy forbids code
 * made from text, and zod's attempt at it would be reported as a violation.
 */
import { config } from "zod";

config({ jitless: true });
