import type {
  EventMessage,
  NoticeMessage,
  DoneMessage,
  PredictionMessage,
} from '../../../shared/contracts/stream';
import { AppError } from '../../../shared/errors/app-error';

/** The part of a connection that the outbox uses. */
export interface Sink {
  send(text: string): void;
  /** Bytes that were sent and that the client has not read yet. */
  readonly bufferedBytes: number;
}

type Numbered = PredictionMessage | EventMessage | NoticeMessage | DoneMessage;
type WithoutSeq<M> = M extends unknown ? Omit<M, 'seq'> : never;
/**
 * A message without its sequence number. The outbox increases a prediction's `skipped` by the
 * predictions that a slow client does not get.
 */
export type Draft = WithoutSeq<Numbered>;

/** A client with more unread bytes than this counts as slow, and only its newest prediction waits. */
const maxBufferedBytes = 64 * 1024;
/** Messages kept for a resume: so many predictions, and so many other messages. */
const maxKept = 256;
/** Messages that may wait for a slow client. Only predictions are replaced by newer ones. */
const maxPending = 1000;

/**
 * Numbers a stream's messages and sends them. It keeps the latest ones for a client that resumes. For a
 * client that reads too slowly it queues messages; a newer prediction then replaces an older one.
 */
export class Outbox {
  #sink: Sink | undefined;
  #seq = 0;
  #pending: Numbered[] = [];
  readonly #predictions: Numbered[] = [];
  readonly #others: Numbered[] = [];

  get seq(): number {
    return this.#seq;
  }

  /** Whether all messages were sent. */
  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /**
   * Sends or queues a message.
   * @throws AppError overloaded when too many messages wait for the client
   */
  send(draft: Draft): void {
    const message = { ...draft, seq: ++this.#seq };
    const kept = message.type === 'prediction' ? this.#predictions : this.#others;
    kept.push(message);
    if (kept.length > maxKept) kept.shift();
    if (this.#sink === undefined) return;
    this.#enqueue(message);
    this.flush();
  }

  /** Sends queued messages while the client is not slow; to be called when the client has read some. */
  flush(): void {
    while (this.#sink !== undefined && this.#sink.bufferedBytes <= maxBufferedBytes) {
      const next = this.#pending.shift();
      if (next === undefined) return;
      this.#sink.send(JSON.stringify(next));
    }
  }

  /** Connects the stream's first connection. */
  attach(sink: Sink): void {
    this.#sink = sink;
  }

  /**
   * Connects a client that resumes, and sends it the messages after `lastSeq`.
   * @throws AppError wrong-order for a `lastSeq` that was not sent yet
   */
  resume(sink: Sink, lastSeq: number): void {
    if (lastSeq > this.#seq) {
      throw new AppError('wrong-order', `lastSeq is ${lastSeq}, and ${this.#seq} was the last message sent.`);
    }
    const missed = [...this.#predictions, ...this.#others]
      .filter(({ seq }) => seq > lastSeq)
      .sort((a, b) => a.seq - b.seq);
    const lost = this.#seq - lastSeq - missed.length;
    this.#sink = sink;
    this.#pending = [];
    for (const message of missed) sink.send(JSON.stringify(message));
    if (lost > 0) this.send(messagesLost(lost));
  }

  /** Disconnects a connection that was lost; another may follow. */
  detach(sink: Sink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.#pending = [];
  }

  #enqueue(message: Numbered): void {
    const index = this.#pending.findIndex(({ type }) => type === 'prediction');
    const older = this.#pending[index];
    if (message.type === 'prediction' && older?.type === 'prediction') {
      this.#pending.splice(index, 1);
      message.skipped += older.skipped + 1;
    }
    if (this.#pending.length >= maxPending) {
      throw new AppError('overloaded', 'The client reads too slowly: too many messages wait for it.');
    }
    this.#pending.push(message);
  }
}

function messagesLost(count: number): Omit<Extract<NoticeMessage, { notice: 'messages-lost' }>, 'seq'> {
  const message = `${count} messages are too old to be sent again.`;
  return { type: 'notice', notice: 'messages-lost', count, message };
}
