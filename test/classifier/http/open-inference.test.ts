import request from 'supertest';
import { scoresOf, type FakeInference } from '../../support/fake-inference';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness({ maxBytes: 100_000 });
});
afterAll(() => stopHarness(harness));

/** A tensor of texts, which the fake decoder reads, as the binary extension has them. */
function tensorOf(...texts: readonly string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return [length, Buffer.from(text)];
    }),
  );
}

function infer(json: unknown, tail: Buffer = Buffer.alloc(0), path = 'earshot'): request.Test {
  const text = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
  return request(harness.server)
    .post(`/v2/models/${path}/infer`)
    .set('Inference-Header-Content-Length', String(text.byteLength))
    .send(Buffer.concat([text, tail]));
}

const audio = (count: number, size: number): object => ({
  name: 'audio',
  shape: [count],
  datatype: 'BYTES',
  parameters: { binary_data_size: size },
});
const plain = (data: unknown, more: object = {}): object => ({
  inputs: [{ name: 'audio', shape: [1], datatype: 'BYTES', data, ...more }],
});
const base64 = { parameters: { content_type: 'base64' } };

describe('POST /v2/models/earshot/infer', () => {
  it('answers each recording of a tensor', async () => {
    const tail = tensorOf('1.5 1', '2.5 1');
    const { status, body } = await infer({ id: 'a', inputs: [audio(2, tail.byteLength)] }, tail);
    expect(status).toBe(200);
    expect(body).toMatchObject({ model_name: 'earshot', model_version: 'cnn-fake-1', id: 'a' });
    const [label, , labels, probabilities] = body.outputs;
    expect(label).toEqual({ name: 'label', datatype: 'BYTES', shape: [2], data: ['rain', 'clock'] });
    expect([labels.shape, probabilities.shape]).toEqual([
      [2, 4],
      [2, 4],
    ]);
    expect(probabilities.data[0]).toBe(Math.max(...scoresOf(1.5)));
  });

  it('takes base64 in JSON, at a version too', async () => {
    const data = [Buffer.from('1.5 1').toString('base64')];
    const { status, body } = await infer(plain(data, base64), undefined, 'earshot/versions/cnn-fake-1');
    expect([status, body.outputs[0].data]).toEqual([200, ['rain']]);
  });

  it.each([
    ['no JSON', '{"inputs": [', /JSON/],
    ['no input', { inputs: [] }, /inputs/],
    ['two inputs', { inputs: [audio(1, 0), audio(1, 0)] }, /inputs/],
    ['text for a recording', plain(['dog.wav']), /base64/],
    ['what is not base64', plain(['dog wav!'], base64), /not base64/],
    ['numbers for base64', plain([7], base64), /not base64/],
    ['an empty recording', plain([''], base64), /empty/],
    ['fewer than it says', plain([], base64), /1 recordings; the tensor has 0/],
    ['another name', plain(['AAAA'], { ...base64, name: 'sound' }), /takes BYTES "audio"/],
    ['another type', plain(['AAAA'], { ...base64, datatype: 'FP32' }), /takes BYTES "audio"/],
    ['too many recordings', plain(['AAAA'], { ...base64, shape: [33] }), /1 to 32/],
    ['no recording', plain([], { ...base64, shape: [0] }), /1 to 32/],
    ['shared memory', plain(undefined, { parameters: { shared_memory_region: 'a' } }), /shared_memory/],
    ['no data at all', plain(undefined), /either in `data`, or behind/],
    ['more bytes than there are', { inputs: [audio(1, 100)] }, /either in `data`, or behind/],
    ['a sequence', { ...plain(['AAAA'], base64), parameters: { sequence_id: 1 } }, /sequence_id/],
    ['no such output', { ...plain(['AAAA'], base64), outputs: [{ name: 'x' }] }, /there are label/],
    ['many small arrays', `{"inputs": [${'[],'.repeat(2000)}[]]}`, /binary data/],
    ['many short values', `{"inputs": [[0${',0'.repeat(400_001)}]]}`, /400000 values/],
  ])('refuses %s', async (_, json, why) => {
    const { status, body } = await infer(json);
    expect([status, body.code, body.error]).toEqual([400, 'malformed-request', body.detail]);
    expect(body.detail).toMatch(why);
  });

  it('names some of many options that it does not know, in a short answer', async () => {
    const options = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`option${index}`, 0]));
    const { status, text } = await infer(options);
    expect(status).toBe(400);
    expect(text).toContain('option0');
    expect(text.length).toBeLessThan(10_000);
  });

  it.each([
    ['that end too early', tensorOf('1.5 1').subarray(0, 7)],
    ['whose length is cut', Buffer.from([1, 0])],
    ['that are longer than all', Buffer.from([255, 255, 255, 255, 1])],
  ])('refuses elements %s', async (_, tail) => {
    const { status, body } = await infer({ inputs: [audio(1, tail.byteLength)] }, tail);
    expect([status, body.detail]).toEqual([400, expect.stringContaining('not as long as they say')]);
  });

  it('refuses bytes that no tensor claims, and a length of JSON beyond the body', async () => {
    expect((await infer(plain(['AAAA'], base64), Buffer.from('more'))).status).toBe(400);
    const { status, body } = await infer('{}').set('Inference-Header-Content-Length', '77');
    expect([status, body.detail]).toEqual([400, expect.stringContaining('Inference-Header-Content-Length')]);
  });

  it('fails as /classify does, and tells it when all of a request has ended', async () => {
    const tail = tensorOf('1.5 1', 'undecodable-audio');
    const failed = await infer({ inputs: [audio(2, tail.byteLength)] }, tail);
    expect([failed.status, failed.body.error]).toEqual([422, 'Failed with undecodable-audio.']);
    expect([harness.decoder.decoding, harness.admission.unanswered]).toEqual([0, 0]);
  });

  it('refuses too large tensors, other models and versions', async () => {
    const tail = tensorOf('1.5 1'.padEnd(100_000));
    expect((await infer({ inputs: [audio(1, tail.byteLength)] }, tail)).status).toBe(413);
    for (const path of ['other', 'earshot/versions/other']) {
      expect((await infer(plain(['AAAA'], base64), undefined, path)).status).toBe(404);
    }
  });

  it('counts as any recording: metrics, and a key where one is asked for', async () => {
    const text = await harness.metrics.registry.metrics();
    expect(text).toMatch(/route="\/v2\/models\/:name\/infer",code="200"/);
  });
});

describe('POST /v2/models/earshot-samples/infer', () => {
  const samples = (shape: number[], data: unknown): object => ({
    inputs: [{ name: 'samples', shape, datatype: 'FP32', data }],
  });

  it.each([
    ['texts', samples([2], ['1', '2']), /no number/],
    ['fewer than it says', samples([3], [1, 2]), /3 samples; the tensor has 2/],
    ['rows of no samples', samples([2, 0], []), /2 times 0 samples/],
    ['three dimensions', samples([1, 1, 1], [1]), /shape/],
  ])('refuses %s', async (_, json, why) => {
    const { status, body } = await infer(json, undefined, 'earshot-samples');
    expect([status, body.detail]).toEqual([400, expect.stringMatching(why)]);
  });
});

describe('a service that is not ready', () => {
  it('says so, to whoever asks and whoever sends', async () => {
    const own = await startHarness({ start: () => new Promise<FakeInference>(() => undefined) });
    try {
      const get = async (path: string): Promise<readonly [number, unknown]> => {
        const { status, body } = await request(own.server).get(`/v2/${path}`);
        return [status, body];
      };
      expect(await get('health/live')).toEqual([200, { live: true }]);
      expect(await get('health/ready')).toEqual([503, { ready: false }]);
      expect(await get('models/earshot/ready')).toEqual([503, { name: 'earshot', ready: false }]);
      const sent = await request(own.server)
        .post('/v2/models/earshot/infer')
        .send(plain(['AAAA'], base64));
      expect([sent.status, sent.body.code]).toEqual([503, 'starting']);
    } finally {
      await stopHarness(own);
    }
  });
});
