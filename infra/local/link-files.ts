/** The local world's authority and certificates, kept in one folder and renewed in time. */
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Peer } from "../../shared/link/peer.ts";
import {
  type Authority,
  createAuthority,
  loadAuthority,
  peerFileName,
  saveAuthority,
  saveIssued,
} from "../private-link/authority.ts";

/** The settings that point a process to its files. */
export interface LinkFiles {
  readonly LINK_CA_FILE: string;
  readonly LINK_CERT_FILE: string;
  readonly LINK_KEY_FILE: string;
}

/** A certificate that ends sooner is issued anew: a world may run for weeks. */
const RENEW_BEFORE_MS = 30 * 24 * 60 * 60 * 1_000;

/** @param nowMs milliseconds since 1970 */
export async function keepLinkFiles(
  dir: string,
  peers: readonly Peer[],
  nowMs: number,
): Promise<Map<Peer, LinkFiles>> {
  const authority = await keepAuthority(dir, nowMs);
  const files = new Map<Peer, LinkFiles>();
  for (const peer of peers) {
    const name = peerFileName(peer);
    const cert = join(dir, `${name}.pem`);
    const key = join(dir, `${name}.key`);
    const good = existsSync(key) && lastsLong(cert, nowMs) && isFrom(cert, authority.caPem);
    if (!good) saveIssued(dir, name, await authority.issue(peer));
    files.set(peer, {
      LINK_CA_FILE: join(dir, "ca.pem"),
      LINK_CERT_FILE: cert,
      LINK_KEY_FILE: key,
    });
  }
  return files;
}

/** The authority of the folder; one that nears its end, or is incomplete, is put aside. */
async function keepAuthority(dir: string, nowMs: number): Promise<Authority> {
  const certificate = join(dir, "ca.pem");
  const key = join(dir, "ca.key");
  if (existsSync(key) && lastsLong(certificate, nowMs)) return await loadAuthority(dir);
  if (existsSync(key)) renameSync(key, `${key}.old`);
  const authority = await createAuthority();
  saveAuthority(dir, authority);
  return authority;
}

function lastsLong(path: string, nowMs: number): boolean {
  if (!existsSync(path)) return false;
  const { validTo } = new X509Certificate(readFileSync(path));
  return Date.parse(validTo) - nowMs > RENEW_BEFORE_MS;
}

function isFrom(path: string, caPem: string): boolean {
  return new X509Certificate(readFileSync(path)).verify(new X509Certificate(caPem).publicKey);
}
