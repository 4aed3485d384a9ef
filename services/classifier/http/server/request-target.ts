import type { IncomingMessage } from 'node:http';

const absolute = /^https?:\/\/([^/?#]*)([^]*)$/i;
const unreserved = /^[A-Za-z0-9_~-]$/;

/**
 * A request's target in the one form that everything behind works with, and the host that it is for: an
 * absolute target (RFC 9112, 3.2.2) becomes a path, and its authority overrules the Host header; letters
 * and digits that are percent-encoded are decoded, since the address is the same with and without (RFC
 * 3986, 6.2.2.2).
 */
export function targetOf({ url = '/', headers }: Pick<IncomingMessage, 'url' | 'headers'>): {
  readonly url: string;
  readonly host: string | undefined;
} {
  const [, authority, rest = ''] = absolute.exec(url) ?? [];
  const relative = rest.startsWith('/') ? rest : `/${rest}`;
  const [path, ...query] = (authority === undefined ? url : relative).split('?') as [string, ...string[]];
  const decoded = path.replace(/%([0-9A-Fa-f]{2})/g, decodeUnreserved);
  return { url: [decoded, ...query].join('?'), host: authority ?? headers.host };
}

function decodeUnreserved(encoded: string, hex: string): string {
  const character = String.fromCharCode(parseInt(hex, 16));
  return unreserved.test(character) ? character : encoded;
}

/**
 * Whether a target is this path, as Express compares them: whatever its case, with or without a slash
 * behind.
 */
export function isPath(target: string, path: string): boolean {
  const [own] = target.split('?');
  return own!.toLowerCase().replace(/\/$/, '') === path;
}
