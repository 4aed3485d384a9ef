import { networkInterfaces } from 'node:os';
import { readAdminKeys } from '../../../shared/access/admin-key-file';

/** A server that this user administers, and the key for it. */
export interface FoundKey {
  /** The server by the very address that its key was left for: a name could lead to somebody else's program. */
  readonly server: string;
  readonly key: string;
}

/**
 * The admin key of a service that this user runs on this machine; undefined when there is none for this address.
 * @param folders where services leave their keys
 */
export async function findKey(server: string, folders: readonly string[]): Promise<FoundKey | undefined> {
  const url = new URL(server);
  if (url.protocol !== 'http:') return undefined;
  const port = Number(url.port === '' ? 80 : url.port);
  for (const record of await readAdminKeys(folders)) {
    if (record.port !== port) continue;
    const host = hostFor(url.hostname, record.address);
    if (host === undefined) continue;
    url.hostname = host;
    return { server: url.href, key: record.key };
  }
  return undefined;
}

/** How a service that is bound to `address` is reached by who asks for `asked`; undefined: that is not it. */
function hostFor(asked: string, address: string): string | undefined {
  const bound = address.includes(':') ? `[${address}]` : address;
  if (asked === bound) return asked;
  const everywhere = ownLoopback.get(bound);
  if (asked === 'localhost') return everywhere ?? (loopback.test(bound) ? bound : undefined);
  if (everywhere === undefined) return undefined;
  // Who listens on every IPv4 address leaves those of IPv6 to others.
  if (bound === '0.0.0.0' && asked.startsWith('[')) return undefined;
  return loopback.test(asked) || isOwnAddress(asked) ? asked : undefined;
}

const loopback = /^(127(\.\d{1,3}){3}|\[::1\])$/;
/** What stands for every address, and the loopback address of its kind. */
const ownLoopback = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['[::]', '[::1]'],
]);

function isOwnAddress(host: string): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return addresses.some(({ address }) => address === host || `[${address}]` === host);
}
