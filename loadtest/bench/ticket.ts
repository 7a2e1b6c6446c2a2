/** What a node pays to check one ticket, against the bare Ed25519 verification inside it. */
import { generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from "node:crypto";
import { readTicket } from "../../region/transport/ticket.ts";
import { NodeId, RoomId, SessionId } from "../../shared/ids.ts";
import { TICKET_TYP, TOKEN_ALG, TOKEN_ISSUER } from "../../shared/protocol/ticket.ts";
import { alternate, type Benchmark, rounded } from "./benchmark.ts";

const nodeId = NodeId.parse("beijing-1");
const roomId = RoomId.parse("room0123456789ab");
const sessionId = SessionId.parse("session0123456789abcd");

export const ticketBenchmark: Benchmark = {
  name: "ticket",
  description: "checking one join ticket at the border, against the bare Ed25519 verification",
  async run({ quick, say }) {
    const { privateKey, publicKey: key } = generateKeyPairSync("ed25519");
    const ticket = makeTicket(privateKey);
    const keys = { get: () => key };
    const [header, payload, signatureText = ""] = ticket.split(".");
    const signed = Buffer.from(`${header}.${payload}`);
    const signature = Buffer.from(signatureText, "base64url");

    const medians = alternate(
      [
        {
          name: "meridian",
          once: () => {
            if (!readTicket({ ticket, keys, nodeId, roomId, sessionId }))
              throw new Error("refused");
          },
        },
        {
          name: "bareEd25519",
          once: () => {
            if (!verify(null, signed, key, signature)) throw new Error("refused");
          },
        },
      ],
      quick ? 9 : 31,
      quick ? 300 : 1_000,
    );
    const meridianUs = medians.get("meridian") ?? Number.NaN;
    const bareUs = medians.get("bareEd25519") ?? Number.NaN;
    say(`one ticket ${rounded(meridianUs)} µs of CPU, bare verification ${rounded(bareUs)} µs`);
    return {
      cpuPerTicketUs: { meridian: rounded(meridianUs), bareEd25519: rounded(bareUs) },
      ratioToBare: rounded(meridianUs / bareUs),
    };
  },
};

function makeTicket(key: KeyObject): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const nowS = Math.floor(Date.now() / 1000);
  const claims = {
    iss: TOKEN_ISSUER,
    aud: nodeId,
    sub: randomUUID(),
    jti: randomUUID(),
    iat: nowS,
    exp: nowS + 30,
    name: "Ada",
    sessionEpoch: [1, 1],
    regionId: "beijing",
    game: "arena",
    roomId,
    sessionId,
    reconnectionToken: "r".repeat(140),
  };
  const signed = `${encode({ alg: TOKEN_ALG, typ: TICKET_TYP, kid: "key-1" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}
