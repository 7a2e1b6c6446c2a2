/**
 * The private link's certificate authority: whoever holds a certificate of it, and no one else, speaks
 * on the link. A certificate names one peer, as a URI (`peerName`), and where it may be reached.
 *
 * Keys are ECDSA P-256, made by WebCrypto. The authority's key signs certificates and nothing else;
 * processes never see it, only `ca.pem` and a certificate and key of their own.
 */
import "./reflect.ts";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { type Peer, peerName } from "../../shared/link/peer.ts";
import { hasCode } from "../process/pid.ts";

export interface Authority {
  /**
   * What every process on the link trusts, PEM: the authority's certificate, and while it takes over
   * from a former one that one's too.
   */
  readonly caPem: string;
  /** Its private key, PEM (PKCS #8). Only `saveAuthority` has a use for it. */
  readonly caKeyPem: string;
  /** A new key and a certificate that names `peer`, both PEM. */
  issue(peer: Peer, options?: IssueOptions): Promise<Issued>;
}

export interface IssueOptions {
  /** How long the certificate is valid; 365 by default. */
  readonly days?: number;
  /** Names and IP addresses besides 127.0.0.1, ::1 and localhost. */
  readonly hosts?: readonly string[];
}

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" };
const AUTHORITY_DAYS = 3_650;
const CERTIFICATE_DAYS = 365;
const DAY_MS = 24 * 60 * 60 * 1_000;
/** A peer whose clock is behind this one's must not find a new certificate "not yet valid". */
const BACKDATE_MS = 60 * 60 * 1_000;
const LOCAL_HOSTS = ["127.0.0.1", "::1", "localhost"];
const CERTIFICATE_FILE = "ca.pem";
const KEY_FILE = "ca.key";

/** A new authority, in memory. */
export async function createAuthority(): Promise<Authority> {
  const keys = await generateKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=Meridian private link CA",
    ...validity(AUTHORITY_DAYS),
    signingAlgorithm: SIGNING_ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return authorityOf(ca, keys.privateKey);
}

/**
 * Writes `ca.pem` and `ca.key` (readable by this user alone) into `dir`, which is made when missing.
 * @throws when `dir` holds an authority already: replacing it would cut every link that trusts it
 */
export function saveAuthority(dir: string, authority: Authority): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(join(dir, KEY_FILE), authority.caKeyPem, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    throw new Error(`${dir} holds an authority already`, { cause: error });
  }
  writeFileSync(join(dir, CERTIFICATE_FILE), authority.caPem);
}

/**
 * Begins to replace the authority of `dir`: a new one signs from now on, and `ca.pem` holds both
 * certificates. Only when every process has that `ca.pem` may certificates of the new one be used.
 * @throws when there is no authority, or one is being replaced already
 */
export async function rotateAuthority(dir: string): Promise<void> {
  const former = await loadAuthority(dir);
  if (certificatesIn(former.caPem).length > 1) {
    throw new Error(`the authority in ${dir} is being replaced already: retire the former first`);
  }
  const next = await createAuthority();
  // The bundle first: cut off here, it trusts one certificate too many, and `rotate` can be repeated.
  replaceFile(dir, CERTIFICATE_FILE, next.caPem + former.caPem);
  replaceFile(dir, KEY_FILE, next.caKeyPem, 0o600);
}

/**
 * Ends a replacement: `ca.pem` holds the new certificate alone. To be done once every process has a
 * certificate of the new authority; those of the former one are refused from then on.
 * @throws when nothing is being replaced
 */
export function retireFormer(dir: string): void {
  const [current, former] = certificatesIn(readPart(dir, CERTIFICATE_FILE));
  if (current === undefined || former === undefined) {
    throw new Error(`${dir} holds one authority only: there is no former one to retire`);
  }
  replaceFile(dir, CERTIFICATE_FILE, current);
}

/** @throws one clear line when `dir` holds no authority, or a damaged or expired one */
export async function loadAuthority(dir: string): Promise<Authority> {
  const certificate = readPart(dir, CERTIFICATE_FILE);
  const keyText = readPart(dir, KEY_FILE);
  let ca: x509.X509Certificate;
  let key: CryptoKey;
  try {
    ca = new x509.X509Certificate(certificatesIn(certificate)[0] ?? "");
    const der = x509.PemConverter.decodeFirst(keyText);
    key = await crypto.subtle.importKey("pkcs8", der, KEY_ALGORITHM, true, ["sign"]);
  } catch (cause) {
    throw new Error(`the authority in ${dir} is damaged`, { cause });
  }
  if (ca.notAfter.getTime() <= Date.now()) {
    throw new Error(`the authority in ${dir} expired on ${ca.notAfter.toISOString().slice(0, 10)}`);
  }
  return { ...(await authorityOf(ca, key)), caPem: certificate };
}

/** Writes a certificate and its key (readable by this user alone) as `<name>.pem`, `<name>.key`. */
export function saveIssued(dir: string, name: string, issued: Issued): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const keyFile = join(dir, `${name}.key`);
  writeFileSync(keyFile, issued.key, { mode: 0o600 });
  chmodSync(keyFile, 0o600);
  writeFileSync(join(dir, `${name}.pem`), issued.cert);
}

/** A name for a peer's files: `core`, `region-beijing`, `dns-ns1`. */
export function peerFileName(peer: Peer): string {
  if (peer.role === "core") return "core";
  return peer.role === "dns" ? `dns-${peer.nameServer}` : `region-${peer.regionId}`;
}

async function authorityOf(ca: x509.X509Certificate, caKey: CryptoKey): Promise<Authority> {
  return {
    caPem: `${ca.toString("pem")}\n`,
    caKeyPem: await keyPem(caKey),
    issue: (peer, options) => issue(ca, caKey, peer, options),
  };
}

async function issue(
  ca: x509.X509Certificate,
  caKey: CryptoKey,
  peer: Peer,
  { days = CERTIFICATE_DAYS, hosts = [] }: IssueOptions = {},
): Promise<Issued> {
  const keys = await generateKeys();
  const places = [...new Set([...LOCAL_HOSTS, ...hosts])];
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    issuer: ca.subjectName,
    subject: `CN=${peerFileName(peer)}`,
    ...validity(days),
    signingAlgorithm: SIGNING_ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: caKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // Every process is a server to its peers and a client of them.
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: peerName(peer) },
        ...places.map((value) => hostName(value)),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${cert.toString("pem")}\n`, key: await keyPem(keys.privateKey) };
}

function hostName(value: string): { type: "ip" | "dns"; value: string } {
  return { type: isIP(value) ? "ip" : "dns", value };
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
}

async function keyPem(key: CryptoKey): Promise<string> {
  const der = await crypto.subtle.exportKey("pkcs8", key);
  return `${x509.PemConverter.encode(der, "PRIVATE KEY")}\n`;
}

function serialNumber(): string {
  // 20 bytes at most, positive and without a leading zero (RFC 5280, section 4.1.2.2).
  const bytes = randomBytes(16);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString("hex");
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const nowMs = Date.now();
  return { notBefore: new Date(nowMs - BACKDATE_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

function certificatesIn(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}

/** Whole or not at all, for processes that read it meanwhile. */
function replaceFile(dir: string, file: string, content: string, mode = 0o644): void {
  const next = join(dir, `${file}.next`);
  writeFileSync(next, content, { mode });
  renameSync(next, join(dir, file));
}

function readPart(dir: string, file: string): string {
  try {
    return readFileSync(join(dir, file), "utf8");
  } catch (cause) {
    if (!hasCode(cause, "ENOENT")) throw cause;
    throw new Error(`there is no authority in ${dir}: ${file} is missing`, { cause });
  }
}
