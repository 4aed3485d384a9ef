import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { CallerCounts } from '../../../../shared/batching/caller-counts';
import { isTrusted, networkOf, plainAddress, type TrustedProxies } from '../../access/address';

/** Maximum number of open connections; fewer where the limit on file descriptors is lower. */
const connectionCeiling = 2048;
/** File descriptors that are left for everything else: model files, recordings, decoders, trainers. */
const otherDescriptors = 256;
/** A client that reads nothing of its answer for this long is disconnected. */
const unreadMs = 30_000;

export interface ConnectionLimits {
  readonly trustedProxies: TrustedProxies;
  /** Maximum number of open connections; absent: as many as file descriptors allow. */
  readonly maxConnections?: number;
  readonly unreadMs?: number;
  /** Is called when a connection was refused, or closed to make room for another. */
  readonly onRefused?: () => void;
}

/**
 * Limits the open connections of the service. One address may have half of them; trusted proxies may
 * have all. At a limit, a connection that waits for a request (it is idle, or only part of a head has
 * arrived) is closed for the new one: of the address with the most connections the one that has waited
 * longest. Where no connection waits, the new one is refused.
 */
export class Connections {
  readonly #trusted: TrustedProxies;
  readonly #maxConnections: number;
  readonly #unreadMs: number;
  readonly #onRefused: () => void;
  readonly #counts = new CallerCounts();
  /** Connections that wait for a request, by address; the one that has waited longest comes first. */
  readonly #waiting = new Map<string, Set<Socket>>();
  readonly #addresses = new WeakMap<Socket, string>();

  constructor({ trustedProxies, maxConnections, unreadMs: timeoutMs, onRefused }: ConnectionLimits) {
    this.#trusted = trustedProxies;
    this.#maxConnections = maxConnections ?? possibleConnections();
    this.#unreadMs = timeoutMs ?? unreadMs;
    this.#onRefused = onRefused ?? (() => undefined);
  }

  /** @returns whether the connection was accepted; a refused one is closed */
  accept(socket: Socket): boolean {
    const plain = plainAddress(socket.remoteAddress ?? '');
    const address = networkOf(plain);
    const tooMany =
      !isTrusted(this.#trusted, plain) &&
      this.#counts.of(address) >= this.#maxConnections / 2 &&
      !this.#makeRoom([address]);
    const isFull =
      this.#counts.total >= this.#maxConnections &&
      !this.#makeRoom([this.#counts.callerWithMost!, undefined]);
    if (tooMany || isFull) {
      this.#onRefused();
      socket.destroy();
      return false;
    }
    this.#addresses.set(socket, address);
    this.#counts.add(address, 1);
    socket.once('close', () => {
      this.#forget(socket);
    });
    this.awaitRequest(socket);
    return true;
  }

  /** Must be called when a request has arrived, or the connection was upgraded or closed. */
  busy(socket: Socket): void {
    const address = this.#addresses.get(socket);
    if (address === undefined) return;
    const waiting = this.#waiting.get(address);
    waiting?.delete(socket);
    if (waiting?.size === 0) this.#waiting.delete(address);
    socket.setTimeout(this.#unreadMs);
  }

  /** Must be called when every answer was sent: the connection waits for a request again. */
  awaitRequest(socket: Socket): void {
    const address = this.#addresses.get(socket);
    if (address === undefined || socket.destroyed) return;
    const waiting = this.#waiting.get(address) ?? new Set();
    this.#waiting.set(address, waiting.add(socket));
  }

  /** Must be called when a connection was inactive for its timeout. */
  onTimeout(socket: Socket): void {
    const address = this.#addresses.get(socket) ?? '';
    const isWaiting = this.#waiting.get(address)?.has(socket) ?? false;
    if (isWaiting || socket.writableLength > 0) socket.destroy();
    else socket.setTimeout(this.#unreadMs);
  }

  /**
   * Closes the longest-waiting connection of the first address that has one; undefined stands for any
   * address.
   */
  #makeRoom(addresses: readonly (string | undefined)[]): boolean {
    for (const address of addresses) {
      const waiting =
        address === undefined ? this.#waiting.values().next().value : this.#waiting.get(address);
      const [victim] = waiting ?? [];
      if (victim === undefined) continue;
      this.#onRefused();
      this.#forget(victim);
      victim.destroy();
      return true;
    }
    return false;
  }

  #forget(socket: Socket): void {
    const address = this.#addresses.get(socket);
    if (address === undefined) return;
    this.busy(socket);
    this.#addresses.delete(socket);
    this.#counts.add(address, -1);
  }
}

/** Computes the maximum from the process's limit on open files, where that can be read. */
function possibleConnections(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const files = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
    return Math.min(connectionCeiling, Math.max(otherDescriptors, files - otherDescriptors));
  } catch {
    return connectionCeiling;
  }
}
