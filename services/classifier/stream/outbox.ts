import type {
  EventMessage,
  NoticeMessage,
  DoneMessage,
  PredictionMessage,
} from '../../../shared/contracts/stream';
import { AppError } from '../../../shared/errors/app-error';

/** Where messages go: a connection, as far as the outbox knows it. */
export interface Sink {
  send(text: string): void;
  /** Bytes handed over that its client has not taken yet. */
  readonly bufferedBytes: number;
}

type Numbered = PredictionMessage | EventMessage | NoticeMessage | DoneMessage;
type WithoutSeq<M> = M extends unknown ? Omit<M, 'seq'> : never;
/** A message before it got its number; to a prediction’s `skipped` is added what a slow client does not get. */
export type Draft = WithoutSeq<Numbered>;

/** Beyond this a client counts as slow: of its predictions only the newest waits. */
const maxBufferedBytes = 64 * 1024;
/** Messages kept for a resume, of predictions and of all else. */
const maxKept = 256;
/** Messages other than predictions that may wait for a slow client; they are never left out. */
const maxPending = 1000;

/**
 * Numbers a stream's messages, keeps the latest for a client that comes back, and holds back when the client reads too
 * slowly: then a newer prediction takes the place of an older one, and everything else waits its turn.
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

  /** Whether the client has been handed everything. */
  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** @throws AppError overloaded when the client has left too much unread */
  send(draft: Draft): void {
    const message = { ...draft, seq: ++this.#seq };
    const kept = message.type === 'prediction' ? this.#predictions : this.#others;
    kept.push(message);
    if (kept.length > maxKept) kept.shift();
    if (this.#sink === undefined) return;
    this.#enqueue(message);
    this.flush();
  }

  /** Hands over what waited, as far as the client takes it; to be called when it took some. */
  flush(): void {
    while (this.#sink !== undefined && this.#sink.bufferedBytes <= maxBufferedBytes) {
      const next = this.#pending.shift();
      if (next === undefined) return;
      this.#sink.send(JSON.stringify(next));
    }
  }

  /** A first connection. */
  attach(sink: Sink): void {
    this.#sink = sink;
  }

  /** A client that came back gets at once what it missed. @throws AppError wrong-order for a `lastSeq` yet to come */
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

  /** The connection is gone; another may follow. */
  detach(sink: Sink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.#pending = [];
  }

  #enqueue(message: Numbered): void {
    const last = this.#pending.findIndex(({ type }) => type === 'prediction');
    const older = this.#pending[last];
    if (message.type === 'prediction' && older?.type === 'prediction') {
      this.#pending.splice(last, 1);
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
