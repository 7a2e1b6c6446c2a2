/**
 * Which identities of studios are trusted: a JSON file that names each issuer, whom its tokens are for,
 * where its keys are and which algorithms it signs with.
 *
 *     [{ "issuer": "https://id.example.org", "audience": "my-game",
 *        "jwksUrl": "https://id.example.org/jwks.json", "algorithms": ["RS256"] }]
 *
 * Only asymmetric algorithms can be named: with a shared secret (HS256) a public key could pass for it.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";

const ISSUERS_MAX = 16;
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const;
const CURVES = ["ES256", "ES384", "ES512", "EdDSA"] as const;

/** Keys over plain HTTP could be anybody's, except from this machine. */
const JwksUrl = z.url().refine((text) => {
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
}, "needs https");

/** One whose signatures are believed. */
export const IssuerEntry = z
  .object({
    issuer: z.string().min(1).max(255),
    audience: z.string().min(1).max(255),
    jwksUrl: JwksUrl.optional(),
    /** Beside this file, or an absolute path. */
    jwksFile: z.string().min(1).optional(),
    algorithms: z
      .array(z.enum([...ALGORITHMS, ...CURVES]))
      .min(1)
      .max(ALGORITHMS.length + CURVES.length),
  })
  .refine((entry) => (entry.jwksUrl === undefined) !== (entry.jwksFile === undefined), {
    message: "needs either jwksUrl or jwksFile",
  });
const File = z.array(IssuerEntry).max(ISSUERS_MAX);

export interface TrustedIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly keys: { readonly url: string } | { readonly jwks: unknown };
}

/** @throws an error whose message names the file and what is wrong in it */
export function loadTrustedIssuers(path: string): readonly TrustedIssuer[] {
  const parsed = File.safeParse(readJson(path));
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data.map(({ issuer, audience, algorithms, ...keys }) => {
    return { issuer, audience, algorithms, keys: keysOf(keys, path) };
  });
}

/** @param path of the file that names them */
export function keysOf(
  { jwksUrl, jwksFile = "" }: Pick<z.infer<typeof IssuerEntry>, "jwksUrl" | "jwksFile">,
  path: string,
): TrustedIssuer["keys"] {
  if (jwksUrl !== undefined) return { url: jwksUrl };
  return { jwks: readJson(resolve(dirname(path), jwksFile)) };
}

/** @throws with the file's name */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
