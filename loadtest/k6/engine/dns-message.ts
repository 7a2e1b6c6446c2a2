/**
 * As much of DNS' messages (RFC 1035) as a look-up needs: one question for addresses, with the subnet of whom it is
 * asked for (RFC 7871), and the addresses in the answer. Pure.
 */
const HEADER_BYTES = 12;
const TYPE_A = 1;
const TYPE_OPT = 41;
const CLASS_IN = 1;
const OPTION_CLIENT_SUBNET = 8;
const FAMILY_IPV4 = 1;
const UDP_BYTES = 1_232;
/** The first two bits of a length byte that is none: the rest of the name stands elsewhere. */
const POINTER = 0xc0;

export interface LookUp {
  readonly id: number;
  /** Such as `play.meridian.test`. */
  readonly name: string;
  /** Such as `159.226.0.0/24`. */
  readonly subnet: string;
}

export interface Found {
  readonly id: number;
  /** 0: all is well; 2: the server can't say; 3: there is no such name. */
  readonly code: number;
  /** IPv4. */
  readonly addresses: readonly string[];
}

export function question({ id, name, subnet }: LookUp): ArrayBuffer {
  const [address = "", bits = "32"] = subnet.split("/");
  const prefix = Number(bits);
  const network = address
    .split(".")
    .map(Number)
    .slice(0, Math.ceil(prefix / 8));
  const labels = name.split(".").flatMap((label) => [label.length, ...charCodes(label)]);
  const option = [...word(FAMILY_IPV4), prefix, 0, ...network];
  const bytes = [
    // One question and one additional record, which holds the options.
    ...[...word(id), ...word(0), ...word(1), ...word(0), ...word(0), ...word(1)],
    ...[...labels, 0, ...word(TYPE_A), ...word(CLASS_IN)],
    ...[0, ...word(TYPE_OPT), ...word(UDP_BYTES), 0, 0, 0, 0, ...word(option.length + 4)],
    ...[...word(OPTION_CLIENT_SUBNET), ...word(option.length), ...option],
  ];
  return Uint8Array.from(bytes).buffer;
}

/** @throws where it is no answer */
export function answer(message: ArrayBuffer): Found {
  const view = new DataView(message);
  let at = HEADER_BYTES;
  for (let left = view.getUint16(4); left > 0; left -= 1) at = afterName(view, at) + 4;
  const addresses: string[] = [];
  for (let left = view.getUint16(6); left > 0; left -= 1) {
    at = afterName(view, at);
    const [type, bytes] = [view.getUint16(at), view.getUint16(at + 8)];
    at += 10;
    if (type === TYPE_A) addresses.push([0, 1, 2, 3].map((n) => view.getUint8(at + n)).join("."));
    at += bytes;
  }
  return { id: view.getUint16(0), code: view.getUint8(3) & 0x0f, addresses };
}

function afterName(view: DataView, from: number): number {
  let at = from;
  for (;;) {
    const length = view.getUint8(at);
    if ((length & POINTER) === POINTER) return at + 2;
    at += 1 + length;
    if (length === 0) return at;
  }
}

function word(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function charCodes(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}
