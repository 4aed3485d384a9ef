import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP, isIPv6 } from 'node:net';

/** The parts of a request from which the caller's address is read. */
export interface AddressedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Returns a request's source: an IPv4 address, or an IPv6 network of 64 bits as `2001:db8:0:1::/64`. */
export type AddressOf = (request: AddressedRequest) => string;

/** Proxies whose `X-Forwarded-*` headers are believed. */
export type TrustedProxies = Pick<BlockList, 'check'>;

/**
 * Parses TRUSTED_PROXIES.
 * @param list addresses, or networks as `10.0.0.0/8`, with commas between them; empty: no proxy
 * @returns undefined for a list that is not well-formed
 */
export function parseTrustedProxies(list: string): TrustedProxies | undefined {
  const proxies = new BlockList();
  for (const entry of list.split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const [address = '', bits, ...rest] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    const maxLength = family === 'ipv6' ? 128 : 32;
    const length = bits === undefined ? maxLength : Number(bits);
    const isLength = /^\d{1,3}$/.test(bits ?? '0') && length <= maxLength;
    if (isIP(address) === 0 || !isLength || rest.length > 0) return undefined;
    proxies.addSubnet(address, length, family);
  }
  return proxies;
}

/**
 * Reads the address that a request came from. Each proxy appends to `X-Forwarded-For` the address from
 * which it received the request. The list is therefore read from its end: addresses of trusted proxies
 * are skipped, and the first other address is the caller's. Entries before that one may be forged.
 */
export function createAddressOf(proxies: TrustedProxies): AddressOf {
  /** The peer's address of each connection: reading it from the socket is the slowest step here. */
  const peers = new WeakMap<object, string>();
  return ({ headers, socket }) => {
    let address = peers.get(socket) ?? plainAddress(socket.remoteAddress ?? '');
    peers.set(socket, address);
    const given = headers['x-forwarded-for'] ?? '';
    const hops = (typeof given === 'string' ? given : given.join(',')).split(',');
    while (isTrusted(proxies, address)) {
      const hop = plainAddress(hops.pop() ?? '');
      if (isIP(hop) === 0) break;
      address = hop;
    }
    return networkOf(address);
  };
}

export function isTrusted(proxies: TrustedProxies, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && proxies.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** An address without port, brackets and zone. An IPv4-mapped IPv6 address becomes the IPv4 address. */
export function plainAddress(text: string): string {
  const bare = text
    .trim()
    .replace(/^\[([^\]]*)\](:\d+)?$/, '$1')
    .replace(/%.*$/, '');
  const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d+$/.exec(bare)?.[1];
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(bare)?.[1];
  return withPort ?? mapped ?? bare;
}

/**
 * The unit in which callers are counted: an IPv4 address, or the first 64 bits of an IPv6 address. One
 * subscriber has at least a /64 (RFC 6177), so single IPv6 addresses do not tell subscribers apart.
 */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address === '' ? 'unknown' : address;
  const [front = '', back] = address.split('::');
  const head = groupsOf(front);
  const tail = groupsOf(back ?? '');
  const zeros = back === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...new Array<string>(zeros).fill('0'), ...tail];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

function groupsOf(text: string): string[] {
  const groups = text === '' ? [] : text.split(':');
  // A dotted IPv4 address at the end stands for the last two groups; only the first four are used.
  return groups.flatMap((group) =>
    group.includes('.') ? ['0', '0'] : [Number.parseInt(group, 16).toString(16)],
  );
}
