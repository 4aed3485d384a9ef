import { Outbox, type Draft } from '../../../services/classifier/stream/outbox';
import type { ServerMessage } from '../../../shared/contracts/stream';

/** A client that takes messages only while it is not busy. */
class FakeSink {
  readonly received: ServerMessage[] = [];
  bufferedBytes = 0;

  send(text: string): void {
    this.received.push(JSON.parse(text) as ServerMessage);
  }

  get seqs(): number[] {
    return this.received.map((message) => ('seq' in message ? message.seq : 0));
  }
}

const prediction = (endSeconds: number): Draft => ({
  type: 'prediction',
  startSeconds: 0,
  endSeconds,
  silent: true,
  unknown: false,
  label: 'silence',
  confidence: null,
  predictions: [],
  level: -120,
  lagMs: 0,
  skipped: 0,
});
const event = (eventId: number): Draft => ({
  type: 'event',
  event: 'started',
  eventId,
  label: 'dog',
  onsetSeconds: 1,
  offsetSeconds: null,
  peakConfidence: 1,
});

describe('the outbox', () => {
  it('numbers messages from 1 and hands them over at once', () => {
    const [outbox, sink] = [new Outbox(), new FakeSink()];
    outbox.attach(sink);
    outbox.send(prediction(1));
    outbox.send(event(1));
    expect(sink.seqs).toEqual([1, 2]);
    expect(outbox.isEmpty).toBe(true);
  });

  it('gives a slow reader the newest prediction with what it stands for, and every event, in order', () => {
    const [outbox, sink] = [new Outbox(), new FakeSink()];
    outbox.attach(sink);
    outbox.send(prediction(1));
    sink.bufferedBytes = 1e6;
    for (const draft of [prediction(2), event(1), prediction(3), prediction(4), event(2), prediction(5)]) {
      outbox.send(draft);
    }
    outbox.flush();
    expect(sink.seqs).toEqual([1]);
    sink.bufferedBytes = 0;
    outbox.flush();
    expect(sink.seqs).toEqual([1, 3, 6, 7]);
    expect(sink.received.at(-1)).toMatchObject({ endSeconds: 5, skipped: 3 });
  });

  it('gives up a reader for whom too many events wait', () => {
    const [outbox, sink] = [new Outbox(), new FakeSink()];
    outbox.attach(sink);
    sink.bufferedBytes = 1e6;
    for (let k = 0; k < 1000; k += 1) outbox.send(event(k));
    expect(() => {
      outbox.send(event(1000));
    }).toThrow('reads too slowly');
  });

  it('sends a client that comes back exactly what it missed', () => {
    const [outbox, lost, back] = [new Outbox(), new FakeSink(), new FakeSink()];
    outbox.attach(lost);
    for (let k = 1; k <= 3; k += 1) outbox.send(prediction(k));
    outbox.detach(lost);
    outbox.send(event(1));
    outbox.send(prediction(4));
    outbox.resume(back, 2);
    outbox.send(prediction(5));
    expect(lost.seqs).toEqual([1, 2, 3]);
    expect(back.seqs).toEqual([3, 4, 5, 6]);
    // The old connection, should it say goodbye late, changes nothing.
    outbox.detach(lost);
    outbox.send(prediction(6));
    expect(back.seqs.at(-1)).toBe(7);
  });

  it('says how many were too old to be sent again; events are kept apart from predictions', () => {
    const [outbox, back] = [new Outbox(), new FakeSink()];
    outbox.send(event(1));
    for (let k = 1; k <= 300; k += 1) outbox.send(prediction(k));
    outbox.resume(back, 0);
    expect(back.received).toHaveLength(1 + 256 + 1);
    expect(back.received[0]).toMatchObject({ type: 'event', seq: 1 });
    expect(back.received.at(-1)).toMatchObject({ notice: 'messages-lost', count: 44, seq: 302 });
  });

  it('refuses a client that knows more than was said', () => {
    expect(() => {
      new Outbox().resume(new FakeSink(), 1);
    }).toThrow('lastSeq is 1');
  });
});
