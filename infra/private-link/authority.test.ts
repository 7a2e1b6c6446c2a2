import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { RegionId } from "../../shared/ids.ts";
import { type Peer, peerOf } from "../../shared/link/peer.ts";
import { createAuthority, type Issued, loadAuthority, saveAuthority } from "./authority.ts";
import { runAuthority, UsageError } from "./command.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-authority-"));
after(() => rmSync(top, { recursive: true, force: true }));

const core: Peer = { role: "core" };
const beijing: Peer = { role: "region", regionId: RegionId.parse("beijing") };

/** Whom a core with `server` sees behind a client with `client`; rejects as the client would. */
async function meet(
  ca: string,
  server: Issued,
  client: Issued | undefined,
): Promise<Peer | undefined> {
  const listener = createServer({ ca, ...server, requestCert: true, rejectUnauthorized: true });
  const seen = new Promise<Peer | undefined>((resolve, reject) => {
    listener.once("secureConnection", (socket) => resolve(peerOf(socket)));
    listener.once("tlsClientError", reject);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  assert.ok(address && typeof address === "object");
  const socket: TLSSocket = connect({ host: "127.0.0.1", port: address.port, ca, ...client });
  socket.on("error", () => {});
  try {
    return await seen;
  } finally {
    socket.destroy();
    listener.close();
  }
}

test("two ends of the same authority know each other by name; no others get in", async () => {
  const authority = await createAuthority();
  const ours = await authority.issue(core);
  const { caPem } = authority;
  assert.deepEqual(await meet(caPem, ours, await authority.issue(beijing)), beijing);
  // Node hangs up on a client whose certificate it does not accept, without saying why.
  const refused = /certificate|hang up/;
  await assert.rejects(meet(caPem, ours, undefined), refused);
  const stranger = await (await createAuthority()).issue(beijing);
  await assert.rejects(meet(caPem, ours, stranger), refused);
  const expired = await authority.issue(beijing, { days: 0 });
  await assert.rejects(meet(caPem, ours, expired), refused);
});

test("a certificate names its peer, its hosts and its last day, and can issue no others", async () => {
  const authority = await createAuthority();
  const { cert } = await authority.issue(beijing, { days: 7, hosts: ["10.1.2.3", "b.example"] });
  const parsed = new X509Certificate(cert);
  const names = (parsed.subjectAltName ?? "").split(", ");
  for (const name of ["URI:meridian://region/beijing", "IP Address:10.1.2.3", "DNS:b.example"]) {
    assert.ok(names.includes(name), name);
  }
  const validDays = (Date.parse(parsed.validTo) - Date.now()) / 86_400_000;
  assert.ok(validDays > 6.9 && validDays < 7.1, `${validDays}`);
  assert.equal(parsed.ca, false);
  assert.equal(new X509Certificate(authority.caPem).ca, true);
});

test("an authority is kept in files that only its owner reads, and never replaced", async () => {
  const dir = join(top, "kept");
  const made = await createAuthority();
  saveAuthority(dir, made);
  assert.equal(statSync(join(dir, "ca.key")).mode & 0o777, 0o600);
  const kept = await loadAuthority(dir);
  assert.deepEqual(
    await meet(made.caPem, await made.issue(core), await kept.issue(beijing)),
    beijing,
  );
  assert.throws(() => saveAuthority(dir, kept), /holds an authority already/);
  await assert.rejects(loadAuthority(join(top, "none")), /there is no authority in .*none: ca.pem/);
  writeFileSync(join(dir, "ca.key"), "not a key");
  await assert.rejects(loadAuthority(dir), /the authority in .*kept is damaged/);
});

test("the command makes an authority and certificates", async () => {
  const dir = join(top, "command");
  assert.match(await runAuthority(["init", "--dir", dir]), /made .*ca.pem/);
  await runAuthority(["issue", "core", "--dir", dir, "--days", "30"]);
  await runAuthority(["issue", "region", "beijing", "--dir", dir, "--host", "b.example"]);
  const issued = (name: string): Issued => ({
    cert: readFileSync(join(dir, `${name}.pem`), "utf8"),
    key: readFileSync(join(dir, `${name}.key`), "utf8"),
  });
  const ca = readFileSync(join(dir, "ca.pem"), "utf8");
  assert.deepEqual(await meet(ca, issued("core"), issued("region-beijing")), beijing);
  await runAuthority(["issue", "dns", "ns1", "--dir", dir]);
  const ns1 = { role: "dns", nameServer: "ns1" };
  assert.deepEqual(await meet(ca, issued("core"), issued("dns-ns1")), ns1);
  assert.equal(statSync(join(dir, "region-beijing.key")).mode & 0o777, 0o600);
  assert.match(await runAuthority(["--help"]), /^Usage: npm run authority/);
});

test("each mistake in the arguments gets one clear line", async () => {
  const mistakes: [string[], RegExp][] = [
    [[], /say what to do/],
    [["init"], /--dir DIR is missing/],
    [["init", "now", "--dir", top], /init takes no "now"/],
    [["revoke", "--dir", top], /there is no command "revoke"/],
    [["issue", "--dir", top], /say whom to issue to/],
    [["issue", "region", "--dir", top], /say whom to issue to/],
    [["issue", "region", "BEIJING", "--dir", top], /"BEIJING" is no region/],
    [["issue", "dns", "ns1.example", "--dir", top], /"ns1.example": a name server's id/],
    [["issue", "core", "x", "y", "--dir", top], /takes no "y"/],
    [["--nonsense"], /Unknown option '--nonsense'/],
  ];
  for (const [args, message] of mistakes) {
    const error = await runAuthority(args).catch((failure: unknown) => failure);
    assert.ok(error instanceof UsageError, args.join(" "));
    assert.match(error.message, message);
  }
  const dir = join(top, "days");
  await runAuthority(["init", "--dir", dir]);
  for (const days of ["0", "ten", "3651", "1.5"]) {
    await assert.rejects(runAuthority(["issue", "core", "--dir", dir, "--days", days]), UsageError);
  }
});
