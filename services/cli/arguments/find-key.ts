import { networkInterfaces } from 'node:os';
import { readAdminKeys } from '../../../shared/access/admin-key-file';

/** A server of this user, and its admin key. */
export interface FoundKey {
  /**
   * The server's URL, with the address that its key was stored for instead of a name: a name could
   * resolve to another user's program.
   */
  readonly server: string;
  readonly key: string;
}

/**
 * Finds the admin key of a service that this user runs on this machine.
 * @param folders in which services store their keys
 * @returns undefined when there is no key for this address
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

/**
 * The host by which the service bound to `address` is reached; undefined if `asked` does not mean it.
 */
function hostFor(asked: string, address: string): string | undefined {
  const bound = address.includes(':') ? `[${address}]` : address;
  if (asked === bound) return asked;
  const wildcardLoopback = ownLoopback.get(bound);
  if (asked === 'localhost') return wildcardLoopback ?? (loopback.test(bound) ? bound : undefined);
  if (wildcardLoopback === undefined) return undefined;
  // A service on every IPv4 address does not listen on IPv6 addresses.
  if (bound === '0.0.0.0' && asked.startsWith('[')) return undefined;
  return loopback.test(asked) || isOwnAddress(asked) ? asked : undefined;
}

const loopback = /^(127(\.\d{1,3}){3}|\[::1\])$/;
/** The wildcard addresses, each with the loopback address of its family. */
const ownLoopback = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['[::]', '[::1]'],
]);

function isOwnAddress(host: string): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return addresses.some(({ address }) => address === host || `[${address}]` === host);
}
