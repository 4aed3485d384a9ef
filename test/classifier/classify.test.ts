import request from 'supertest';
import { classificationSchema } from '../../shared/contracts/classification';
import { classes, FakeInference, scoresOf } from '../support/fake-inference';
import { until } from '../support/fake-clock';
import { fakeModel, startHarness, stopHarness, type Harness } from '../support/service-harness';

let harness: Harness;
const post = (query = ''): request.Test => request(harness.server).post(`/classify${query}`);

/** Where the windows of an answer start, in seconds. */
function starts({ body }: request.Response): number[] {
  return classificationSchema.parse(body).windows.map(({ startSeconds }) => startSeconds);
}

beforeAll(async () => {
  harness = await startHarness({ maxQueuedItems: 200 });
});
afterAll(() => stopHarness(harness));

describe('POST /classify', () => {
  it.each([
    ['a form', () => post().attach('audio', Buffer.from('2.5 3'), 'clip.wav')],
    ['the bytes themselves', () => post().set('Content-Type', 'audio/wav').send(Buffer.from('2.5 3'))],
    [
      'the bytes under the type that curl gives them',
      () => post().set('Content-Type', 'application/x-www-form-urlencoded').send('2.5 3'),
    ],
  ])('answers %s', async (_, send) => {
    const { status, body, headers } = await send();
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch('application/json');
    expect(headers['vary']).toBe('Origin, Accept');
    const answer = classificationSchema.strict().parse(body);
    expect(answer).toMatchObject({
      requestId: headers['x-request-id'],
      model: { id: 'abababababab', architecture: 'cnn', version: 'cnn-fake-1' },
      audio: { format: 'wav', codec: 'pcm_s16le', sampleRate: 44_100, channels: 2, durationSeconds: 3 },
      label: 'clock',
    });
    const scores = [...scoresOf(2.5)].sort((a, b) => b - a);
    expect(answer.predictions.map(({ probability }) => probability)).toEqual(scores);
    expect(answer.confidence).toBe(scores[0]);
    expect(answer.windows).toHaveLength(1);
    expect(answer.windows[0]).toMatchObject({ startSeconds: 0, endSeconds: 3, label: 'clock' });
    expect(answer.timings.inferenceMs).toBe(3);
  });

  it('cuts a longer clip into windows of 5 s every 2.5 s, or as asked', async () => {
    const usual = await post().send(Buffer.from('1.5 12'));
    expect(starts(usual)).toEqual([0, 2.5, 5, 7]);
    const asked = await post('?hopSeconds=5').send(Buffer.from('1.5 12'));
    expect(starts(asked)).toEqual([0, 5, 7]);
  });

  it('hears nothing in a quiet room whatever the microphone’s offset, which the networks are given', async () => {
    const own = await startHarness();
    try {
      const calibration = { temperature: 1, expectedCalibrationError: 0, unknownBelow: 0.01 };
      const start = (): Promise<FakeInference> => Promise.resolve(new FakeInference());
      const model = fakeModel(start, own.metrics, 64, { calibration });
      await model.started;
      own.promote(model);
      const { body } = await request(own.server).post('/classify').send(Buffer.from('0.1 5'));
      expect(body).toMatchObject({ label: 'unknown', unknown: true, windows: [{ label: 'unknown' }] });
      expect(body.predictions[0].probability).toBe(Math.max(...scoresOf(Math.fround(0.1))));
    } finally {
      await stopHarness(own);
    }
  });

  it('names as many classes as topK says, five unless told', async () => {
    const two = await post('?topK=2').send(Buffer.from('0.5 1'));
    expect(two.body.predictions).toHaveLength(2);
    expect(two.body.windows[0].predictions).toHaveLength(2);
    const usual = await post().send(Buffer.from('0.5 1'));
    expect(usual.body.predictions).toHaveLength(Math.min(5, classes.length));
  });

  it('gives lines a person can read to whoever asks for text', async () => {
    const { text, headers } = await post('?topK=2').set('Accept', 'text/plain').send(Buffer.from('1.5 1'));
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(text).toBe(' 85.0 %  rain\n  5.0 %  dog\n');
  });

  it('speaks as Hugging Face does with format=hf', async () => {
    const { body } = await post('?format=hf&topK=1').send(Buffer.from('1.5 1'));
    expect(body).toEqual([{ label: 'rain', score: scoresOf(1.5)[1] }]);
  });

  it('takes over a sane request id and makes up another for the rest', async () => {
    const sane = await post().set('X-Request-Id', 'trace-7.a:b').send(Buffer.from('1 1'));
    expect(sane.headers['x-request-id']).toBe('trace-7.a:b');
    expect(sane.body.requestId).toBe('trace-7.a:b');
    const insane = await post().set('X-Request-Id', '{"a b"}').send(Buffer.from('1 1'));
    expect(insane.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('gives each of 60 simultaneous callers its own answer, out of shared batches', async () => {
    harness.inference.batchSizes.length = 0;
    const markers = Array.from({ length: 60 }, (_, i) => i / 60 + (i % classes.length));
    harness.inference.hold();
    const asking = Promise.all(
      markers.map((marker, i) => post().send(Buffer.from(`${marker} ${i % 3 === 0 ? 10 : 1}`))),
    );
    await until(() => harness.batcher.queuedItems + (harness.inference.batchSizes[0] ?? 0) === 100);
    harness.inference.release();
    const answers = await asking;
    answers.forEach(({ body }, i) => {
      const marker = Math.fround(markers[i]!);
      const expected = scoresOf(marker);
      expect(body.windows).toHaveLength(i % 3 === 0 ? 3 : 1);
      const { predictions } = classificationSchema.parse(body);
      const got = new Map(predictions.map(({ label, probability }) => [label, probability]));
      classes.forEach((name, index) => {
        expect(Math.abs(got.get(name)! - expected[index]!)).toBeLessThan(1e-12);
      });
    });
    // The first went early to an idle engine; all that came meanwhile went together.
    const [first, ...later] = harness.inference.batchSizes;
    expect(later.slice(0, -1)).toEqual(new Array<number>(Math.ceil((100 - first!) / 4) - 1).fill(4));
    expect(harness.admission.unanswered).toBe(0);
  });
});
