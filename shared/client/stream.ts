import type { DoneMessage, ErrorMessage, ReadyMessage, ServerMessage } from '../contracts/stream.js';
import { AppError } from '../errors/app-error.js';
import { AudioBacklog } from './audio-backlog.js';
import { createBackoff } from './backoff.js';
import { onCallersClock } from './callers-clock.js';
import { connect, type Connection } from './connection.js';
import type { ClientOptions } from './options.js';
import { bytesPerSecond, frameBytes, type StreamMessage, type StreamSettings } from './stream-contract.js';

export type StreamState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open'; readonly ready: ReadyMessage }
  /** There is no connection; it tries again by itself. */
  | { readonly kind: 'waiting'; readonly reason: AppError; readonly retryInMs: number }
  /** For good: `reason` tells why, unless everything was said. */
  | { readonly kind: 'ended'; readonly reason?: AppError };

export interface StreamOptions {
  readonly settings: StreamSettings;
  /** Times in messages count from the first byte that was sent, whatever connections were lost since. */
  readonly onMessage: (message: StreamMessage) => void;
  readonly onState?: (state: StreamState) => void;
}

export interface AudioStream {
  /**
   * Audio, cut anywhere. While there is no connection it is kept, and sent later. Nothing happens after
   * the end.
   */
  send(audio: Uint8Array<ArrayBuffer>): void;
  /** Settles when the service has caught up so far that more may be sent; a microphone need not wait. */
  drained(): Promise<void>;
  /**
   * Says that no more audio comes, and waits for the last answers.
   * @throws AppError why the stream broke instead; unreachable when `timeoutMs` pass without an end
   */
  stop(timeoutMs?: number): Promise<DoneMessage>;
  /** Hangs up at once. */
  close(): void;
}

/** Audio kept for sending it again: as long as the service keeps a lost stream, and some more. */
const keptSeconds = 40;
const keptContainerBytes = 4 * 1024 * 1024;
/** Above this much unanswered audio a sender that is faster than time is held back. */
const aheadSeconds = 20;
const drainCheckMs = 20;
/** Frames stay well below the service's largest. */
const frameLimitBytes = 128 * 1024;

/** For so long an answer may be overdue before the connection counts as lost. */
const timeoutMs = 15_000;

/** Codes with which there is no use in trying again. */
const hopeless: readonly string[] = [
  'malformed-request',
  'not-found',
  'unsupported-media',
  'undecodable-audio',
  'non-finite-audio',
  'payload-too-large',
  'not-acceptable',
  'unauthorized',
  'forbidden',
];

/** A stream of audio to the service that survives lost connections and restarted servers by itself. */
export function openStream(client: ClientOptions, options: StreamOptions): AudioStream {
  return new LiveStream(client, options);
}

class LiveStream implements AudioStream {
  readonly #client: ClientOptions;
  readonly #options: StreamOptions;
  readonly #secondBytes: number | undefined;
  readonly #backlog: AudioBacklog;
  readonly #backoff = createBackoff(250, 5000);
  #connection: Connection | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** The service's name for the stream while it can be resumed. */
  #streamId: string | undefined;
  #lastSeq = 0;
  /** Where in the caller's audio the service's stream began, what was judged, and what was sent. */
  #originByte = 0;
  #judgedByte = 0;
  #sentByte = 0;
  #accepted = false;
  /** Since when an answer is due that does not come. */
  #dueSinceMs: number | undefined;
  #stopping = false;
  #done: DoneMessage | undefined;
  #ended: { readonly reason?: AppError } | undefined;
  #onEnd: (() => void) | undefined;

  constructor(client: ClientOptions, options: StreamOptions) {
    this.#client = client;
    this.#options = options;
    this.#secondBytes = bytesPerSecond(options.settings);
    const seconds = keptSeconds + 2 * (options.settings.hopSeconds ?? 0);
    this.#backlog = new AudioBacklog(
      this.#secondBytes === undefined ? keptContainerBytes : seconds * this.#secondBytes,
    );
    this.#connect();
  }

  send(audio: Uint8Array<ArrayBuffer>): void {
    if (this.#ended !== undefined || this.#stopping || audio.byteLength === 0) return;
    this.#backlog.append(audio);
    if (!this.#accepted) return;
    this.#sendBacklog();
    if (!this.#leftJam()) this.#noticeDeadLine();
  }

  async drained(): Promise<void> {
    const aheadBytes =
      this.#secondBytes === undefined
        ? keptContainerBytes / 2
        : (aheadSeconds + 2 * (this.#options.settings.hopSeconds ?? 0)) * this.#secondBytes;
    const isAhead = (): boolean => {
      const judged = this.#secondBytes === undefined ? this.#sentByte - this.#unsent() : this.#judgedByte;
      return this.#ended === undefined && this.#backlog.end - judged > aheadBytes;
    };
    // A socket does not tell when its buffer empties.
    while (isAhead()) await new Promise((resolve) => setTimeout(resolve, drainCheckMs));
  }

  async stop(timeoutMs = 10_000): Promise<DoneMessage> {
    if (!this.#stopping && this.#accepted) this.#connection?.say({ type: 'stop' });
    this.#stopping = true;
    if (this.#ended === undefined) {
      const timer = setTimeout(() => {
        this.#end(new AppError('unreachable', 'The service did not answer the end of the stream in time.'));
      }, timeoutMs);
      await new Promise<void>((resolve) => (this.#onEnd = resolve));
      clearTimeout(timer);
    }
    if (this.#done !== undefined) return this.#done;
    throw this.#ended?.reason ?? new AppError('cancelled', 'The stream was closed.');
  }

  close(): void {
    this.#end();
  }

  #connect(): void {
    this.#options.onState?.({ kind: 'connecting' });
    this.#connection = connect(this.#client, {
      onOpen: () => {
        this.#connection?.say(
          this.#streamId === undefined
            ? { type: 'start', ...this.#options.settings }
            : { type: 'resume', streamId: this.#streamId, lastSeq: this.#lastSeq },
        );
      },
      onMessage: (message) => {
        this.#receive(message);
      },
      onEnd: (reason) => {
        this.#lost(reason);
      },
    });
  }

  #receive(message: Exclude<ServerMessage, ErrorMessage>): void {
    if (message.type === 'ready') {
      this.#begin(message);
      return;
    }
    this.#lastSeq = message.seq;
    this.#dueSinceMs = undefined;
    if (message.type === 'done') this.#finish(message);
    const originSeconds = this.#originByte / (this.#secondBytes ?? 1);
    if (message.type === 'prediction' && this.#secondBytes !== undefined) {
      const frames = Math.round(message.endSeconds * this.#options.settings.sampleRate!);
      this.#judgedByte = this.#originByte + frames * frameBytes(this.#options.settings);
      this.#backlog.forget(this.#judgedByte);
    }
    // Only now: a service that breaks at the first sound is not to be asked four times a second.
    if (message.type === 'prediction') this.#backoff.reset();
    this.#options.onMessage(onCallersClock(message, originSeconds));
  }

  #begin(ready: ReadyMessage): void {
    // What the service has heard of the stream already, or, of a new stream, what no prediction has
    // covered yet.
    const from = ready.resumed ? this.#originByte + ready.receivedBytes : this.#firstUnjudged();
    if (from < this.#backlog.start) {
      this.#restart();
      return;
    }
    if (!ready.resumed) {
      this.#originByte = from;
      this.#lastSeq = 0;
    }
    this.#streamId = ready.streamId;
    this.#sentByte = from;
    this.#accepted = true;
    this.#options.onState?.({ kind: 'open', ready });
    this.#options.onMessage(ready);
    this.#sendBacklog();
    if (this.#stopping) this.#connection?.say({ type: 'stop' });
  }

  /** Returns the position of a whole sample, also where chunks were cut within one. */
  #firstUnjudged(): number {
    const frame = frameBytes(this.#options.settings);
    return Math.max(this.#judgedByte, Math.ceil(this.#backlog.start / frame) * frame);
  }

  #sendBacklog(): void {
    for (const chunk of this.#backlog.from(this.#sentByte)) {
      for (let at = 0; at < chunk.byteLength; at += frameLimitBytes) {
        this.#connection?.send(chunk.subarray(at, at + frameLimitBytes));
      }
    }
    this.#sentByte = this.#backlog.end;
  }

  /**
   * Sound that the network cannot carry piles up on this machine: what is too old is left out, and a new
   * stream begins.
   */
  #leftJam(): boolean {
    if (this.#unsent() < this.#backlog.maxBytes) return false;
    const frame = frameBytes(this.#options.settings);
    this.#judgedByte = Math.floor(this.#backlog.end / frame) * frame;
    this.#connection?.close();
    this.#lost(new AppError('request-timeout', 'The network is too slow for live sound; some was left out.'));
    return true;
  }

  /** A line can be dead without anybody having hung up: then answers stay away that are due. */
  #noticeDeadLine(): void {
    const dueBytes = (1 + (this.#options.settings.hopSeconds ?? 0.5)) * (this.#secondBytes ?? Infinity);
    if (this.#sentByte - this.#judgedByte < dueBytes) return;
    this.#dueSinceMs ??= Date.now();
    if (Date.now() - this.#dueSinceMs < timeoutMs) return;
    this.#connection?.close();
    this.#lost(new AppError('unreachable', 'The service went silent.', { details: { resumable: true } }));
  }

  #finish(done: DoneMessage): void {
    // The last one to say it is the one that is asked to stop; a service that goes away says it too.
    if (done.reason === 'stopped' || this.#stopping) this.#done = done;
    this.#streamId = undefined;
  }

  #lost(reason: AppError): void {
    this.#accepted = false;
    this.#dueSinceMs = undefined;
    if (this.#ended !== undefined) return;
    const resumeRefused = reason.code === 'not-found' && this.#streamId !== undefined;
    if (resumeRefused || reason.details['resumable'] !== true) this.#streamId = undefined;
    const isHopeless = hopeless.includes(reason.code) && !resumeRefused;
    if (this.#done !== undefined) this.#end();
    else if (isHopeless || this.#cannotRestart()) this.#end(reason);
    else {
      const retryAfterSeconds = Number(reason.details['retryAfterSeconds'] ?? 0);
      this.#again(reason, resumeRefused ? 0 : this.#backoff.next(retryAfterSeconds));
    }
  }

  /** A container's beginning, without which the rest means nothing, is gone. */
  #cannotRestart(): boolean {
    return this.#secondBytes === undefined && this.#streamId === undefined && this.#backlog.start > 0;
  }

  #again(reason: AppError, retryInMs: number): void {
    this.#connection = undefined;
    this.#options.onState?.({ kind: 'waiting', reason, retryInMs });
    this.#retry = setTimeout(() => {
      this.#connect();
    }, retryInMs);
  }

  #unsent(): number {
    return this.#connection?.unsentBytes() ?? 0;
  }

  /** The service lacks audio that is not kept any more: a new stream begins with what is. */
  #restart(): void {
    this.#streamId = undefined;
    this.#connection?.close();
    this.#again(
      new AppError('unreachable', 'The connection was lost for too long to go on where it was.'),
      0,
    );
  }

  #end(reason?: AppError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason === undefined ? {} : { reason };
    clearTimeout(this.#retry);
    this.#connection?.close();
    this.#options.onState?.({ kind: 'ended', ...this.#ended });
    this.#onEnd?.();
  }
}
