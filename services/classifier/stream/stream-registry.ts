import type { ReadyMessage, ResumeMessage, StartMessage } from '../../../shared/contracts/stream';
import { CallerCounts } from '../../../shared/batching/caller-counts';
import { AppError } from '../../../shared/errors/app-error';
import type { Caller } from '../access/api-keys';
import { describeModel } from '../model/describe-model';
import { Outbox, type Sink } from './outbox';
import { StreamSession, type SessionDeps, type SessionLimits } from './stream-session';

export interface RegistryOptions extends SessionDeps {
  readonly limits: SessionLimits & ReadyMessage['limits'];
  /** Streams without a connection that are kept at most. */
  readonly maxDetached: number;
  /** Windows a second that streams may ask for in all; undefined while that is not known. */
  readonly maxWindowsPerSecond: () => number | undefined;
}

interface Entry {
  readonly session: StreamSession;
  readonly owner: string;
  /** Ends the connection that has the stream now. */
  release: (() => void) | undefined;
  cancelExpiry: (() => void) | undefined;
}

/** Every stream, with a connection or without one: begins them, hands them to clients that come back, and lets them go. */
export class StreamRegistry {
  readonly #options: RegistryOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** Streams, with and without a connection. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Whether there is no room for one more prediction a second; an empty house has room, for longer hops at least. A caller that
   * uses less than half of the engine's share has room where others use all of it: callers take turns there.
   */
  isFull(caller: string): boolean {
    return this.#windowsPerSecond() > 0 && !this.#hasRoom(1, caller);
  }

  #hasRoom(windowsPerSecond: number, caller: string): boolean {
    const most = this.#options.maxWindowsPerSecond() ?? Infinity;
    if (this.#windowsPerSecond() + windowsPerSecond <= most) return true;
    return this.#windowsPerSecond(caller) + windowsPerSecond <= most / 2;
  }

  /** Windows a second that connected streams really ask of the engine: all, or a caller's. */
  #windowsPerSecond(caller?: string): number {
    let sum = 0;
    for (const { session, release } of this.#entries.values()) {
      const counts = caller === undefined || session.caller === caller;
      if (counts && release !== undefined) sum += session.load.windowsPerSecond;
    }
    return sum;
  }

  /**
   * @param callerId on whose account
   * @param release ends the connection when another takes the stream over
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
   * Gives a stream to a client that came back. The connection that still holds it is closed: its client is here.
   * What was missed is not sent yet: see Outbox.resume.
   * @throws AppError not-found when there is no such stream of this caller’s (any more)
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

  /** The connection is lost: the stream is kept for a while. */
  detach(session: StreamSession, release: () => void): void {
    const entry = this.#entries.get(session.id);
    if (entry?.release !== release) return;
    entry.release = undefined;
    session.onRoom = () => undefined;
    const { clock, limits, maxDetached } = this.#options;
    entry.cancelExpiry = clock.setTimer(() => {
      this.#remove(session);
    }, limits.resumeSeconds * 1000);
    const detached = [...this.#entries.values()].filter((other) => other.release === undefined);
    if (detached.length > maxDetached) this.#remove(oldestOfGreediest(detached).session);
  }

  /** The connection that holds the stream is done with it; another's say is not heard. */
  end(session: StreamSession, release: () => void): void {
    if (this.#entries.get(session.id)?.release === release) this.#remove(session);
  }

  /** Lets go of everything. */
  close(): void {
    for (const { session } of [...this.#entries.values()]) this.#remove(session);
  }

  #remove(session: StreamSession): void {
    this.#entries.get(session.id)?.cancelExpiry?.();
    this.#entries.delete(session.id);
    session.onRoom = () => undefined;
    session.abort(new AppError('cancelled', 'The stream is over.'));
  }

  ready(session: StreamSession, resumed: boolean): ReadyMessage {
    const { classes, frontEnd } = session.manifest;
    const { messageBytes, bufferedSeconds, resumeSeconds, idleSeconds } = this.#options.limits;
    return {
      type: 'ready',
      streamId: session.id,
      resumed,
      model: describeModel(session.manifest),
      sampleRate: frontEnd.sampleRate,
      windowSeconds: session.windowSeconds,
      hopSeconds: session.start.hopSeconds,
      labels: classes,
      receivedBytes: session.receivedBytes,
      limits: { messageBytes, bufferedSeconds, resumeSeconds, idleSeconds },
    };
  }
}

/** The caller that has the most loses its oldest. */
function oldestOfGreediest(entries: readonly Entry[]): Entry {
  const counts = new CallerCounts();
  for (const { session } of entries) counts.add(session.caller, 1);
  return entries.find(({ session }) => session.caller === counts.callerWithMost)!;
}
