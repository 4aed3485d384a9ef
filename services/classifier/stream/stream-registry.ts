import type { ReadyMessage, ResumeMessage, StartMessage } from '../../../shared/contracts/stream';
import { windowFormat } from '../../../shared/contracts/members';
import { CallerCounts } from '../../../shared/batching/caller-counts';
import { AppError } from '../../../shared/errors/app-error';
import type { Caller } from '../access/api-keys';
import { describeModel } from '../model/describe-model';
import { Outbox, type Sink } from './outbox';
import { StreamSession, type SessionDeps, type SessionLimits } from './stream-session';

export interface RegistryOptions extends SessionDeps {
  readonly limits: SessionLimits & ReadyMessage['limits'];
  /** Largest number of streams without a connection that are kept. */
  readonly maxDetached: number;
  /** Windows a second that all streams together may send to the engine; undefined while unknown. */
  readonly maxWindowsPerSecond: () => number | undefined;
}

interface Entry {
  readonly session: StreamSession;
  readonly owner: string;
  /** Closes the connection that holds the stream; undefined while there is none. */
  release: (() => void) | undefined;
  cancelExpiry: (() => void) | undefined;
}

/**
 * Holds all streams, connected or not: begins them, resumes them for returning clients and removes them.
 */
export class StreamRegistry {
  readonly #options: RegistryOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** Number of streams, connected or not. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Whether the streams' share of the engine has no room for one more window a second. Without any load
   * there is always room. A caller that uses less than half of the share has room even if others use all
   * of it, because the engine's queue serves callers in turn.
   */
  isFull(caller: string): boolean {
    return this.#windowsPerSecond() > 0 && !this.#hasRoom(1, caller);
  }

  #hasRoom(windowsPerSecond: number, caller: string): boolean {
    const maxPerSecond = this.#options.maxWindowsPerSecond() ?? Infinity;
    if (this.#windowsPerSecond() + windowsPerSecond <= maxPerSecond) return true;
    return this.#windowsPerSecond(caller) + windowsPerSecond <= maxPerSecond / 2;
  }

  /** Windows a second that connected streams send to the engine: of all callers, or of one. */
  #windowsPerSecond(caller?: string): number {
    let sum = 0;
    for (const { session, release } of this.#entries.values()) {
      const counts = caller === undefined || session.caller === caller;
      if (counts && release !== undefined) sum += session.load.windowsPerSecond;
    }
    return sum;
  }

  /**
   * Begins a stream.
   * @param callerId the account (access/caller-id.ts)
   * @param release closes the connection when another one resumes the stream
   * @throws AppError malformed-request, overloaded, engine-unavailable
   */
  begin(
    start: StartMessage,
    caller: Caller,
    callerId: string,
    sink: Sink,
    release: () => void,
  ): StreamSession {
    if (!this.#hasRoom(1 / start.hopSeconds, callerId)) {
      this.#options.metrics.overloads.inc({ cause: 'stream-engine' });
      throw new AppError(
        'overloaded',
        'The service has no room for a stream with this hop; try a longer one.',
        {
          details: { retryAfterSeconds: 10 },
        },
      );
    }
    const session = new StreamSession(start, callerId, new Outbox(), this.#options, this.#options.limits);
    session.outbox.attach(sink);
    this.#entries.set(session.id, { session, owner: caller.name, release, cancelExpiry: undefined });
    return session;
  }

  /**
   * Gives a stream to a client that resumes it. A connection that still holds it is closed. Missed
   * messages are sent afterwards, by Outbox.resume.
   * @throws AppError not-found when this caller has no such stream (any more)
   */
  resume({ streamId }: ResumeMessage, caller: Caller, release: () => void): StreamSession {
    const entry = this.#entries.get(streamId);
    if (entry?.owner !== caller.name) {
      const seconds = this.#options.limits.resumeSeconds;
      throw new AppError(
        'not-found',
        `There is no stream with this id; one is kept for ${seconds} s after its connection is lost. Start a new one.`,
      );
    }
    entry.cancelExpiry?.();
    entry.cancelExpiry = undefined;
    const former = entry.release;
    entry.release = release;
    former?.();
    return entry.session;
  }

  /** Keeps a stream whose connection was lost for `resumeSeconds`. */
  detach(session: StreamSession, release: () => void): void {
    const entry = this.#entries.get(session.id);
    if (entry?.release !== release) return;
    entry.release = undefined;
    session.onQueueDrained = () => undefined;
    const { clock, limits, maxDetached } = this.#options;
    entry.cancelExpiry = clock.setTimer(() => {
      this.#remove(session);
    }, limits.resumeSeconds * 1000);
    const detached = [...this.#entries.values()].filter((other) => other.release === undefined);
    if (detached.length > maxDetached) this.#remove(oldestOfLargestCaller(detached).session);
  }

  /** Removes a stream, if it is still held by the connection with this `release`. */
  end(session: StreamSession, release: () => void): void {
    if (this.#entries.get(session.id)?.release === release) this.#remove(session);
  }

  /** Removes all streams. */
  close(): void {
    for (const { session } of [...this.#entries.values()]) this.#remove(session);
  }

  #remove(session: StreamSession): void {
    this.#entries.get(session.id)?.cancelExpiry?.();
    this.#entries.delete(session.id);
    session.onQueueDrained = () => undefined;
    session.abort(new AppError('cancelled', 'The stream is over.'));
  }

  ready(session: StreamSession, resumed: boolean): ReadyMessage {
    const { manifest } = session;
    const { messageBytes, bufferedSeconds, resumeSeconds, idleSeconds } = this.#options.limits;
    return {
      type: 'ready',
      streamId: session.id,
      resumed,
      model: describeModel(manifest),
      sampleRate: windowFormat(manifest).sampleRate,
      windowSeconds: session.windowSeconds,
      hopSeconds: session.start.hopSeconds,
      labels: manifest.classes,
      receivedBytes: session.receivedBytes,
      limits: { messageBytes, bufferedSeconds, resumeSeconds, idleSeconds },
    };
  }
}

/** The oldest stream of the caller with the most streams. */
function oldestOfLargestCaller(entries: readonly Entry[]): Entry {
  const counts = new CallerCounts();
  for (const { session } of entries) counts.add(session.caller, 1);
  return entries.find(({ session }) => session.caller === counts.callerWithMost)!;
}
