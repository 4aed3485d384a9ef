import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { CallerCounts } from '../../../../shared/batching/caller-counts';
import { isTrusted, networkOf, plainAddress, type TrustedProxies } from '../../access/address';

/** Connections at a time, as far as there are file descriptors for them. */
const connectionCeiling = 2048;
/** Descriptors for all else: model files, recordings, what decoders and trainers open. */
const otherDescriptors = 256;
/** An answer of which the client takes nothing for so long is given up. */
const unreadMs = 30_000;

export interface ConnectionLimits {
  readonly trustedProxies: TrustedProxies;
  /** Connections at most; as many as there can be unless given. */
  readonly maxConnections?: number;
  readonly unreadMs?: number;
  /** A connection was closed to make room, or refused. */
  readonly onRefused?: () => void;
}

/**
 * The connections of the service. One that waits for a request (idle, or with half a head) makes room
 * for a newcomer where there are too many, in all or, but for trusted proxies, of one address, which has
 * half of them at most: longest-waiting first, of the address that has the most. Only where all are busy
 * is a newcomer refused.
 */
export class Connections {
  readonly #trusted: TrustedProxies;
  readonly #maxConnections: number;
  readonly #unreadMs: number;
  readonly #onRefused: () => void;
  readonly #counts = new CallerCounts();
  /** By address, the longest-waiting first. */
  readonly #waiting = new Map<string, Set<Socket>>();
  readonly #addresses = new WeakMap<Socket, string>();

  constructor({ trustedProxies, maxConnections, unreadMs: timeoutMs, onRefused }: ConnectionLimits) {
    this.#trusted = trustedProxies;
    this.#maxConnections = maxConnections ?? possibleConnections();
    this.#unreadMs = timeoutMs ?? unreadMs;
    this.#onRefused = onRefused ?? (() => undefined);
  }

  /** @returns whether the connection was taken; one that was not is closed */
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

  /** A request has come, or the connection became something else. */
  busy(socket: Socket): void {
    const address = this.#addresses.get(socket);
    if (address === undefined) return;
    const waiting = this.#waiting.get(address);
    waiting?.delete(socket);
    if (waiting?.size === 0) this.#waiting.delete(address);
    socket.setTimeout(this.#unreadMs);
  }

  /** Every answer was sent: the connection waits for a request. */
  awaitRequest(socket: Socket): void {
    const address = this.#addresses.get(socket);
    if (address === undefined || socket.destroyed) return;
    const waiting = this.#waiting.get(address) ?? new Set();
    this.#waiting.set(address, waiting.add(socket));
  }

  /** Nothing happened on a connection for as long as it was given. */
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

/** As many as the limit on open files leaves, where it can be read. */
function possibleConnections(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const files = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
    return Math.min(connectionCeiling, Math.max(otherDescriptors, files - otherDescriptors));
  } catch {
    return connectionCeiling;
  }
}
