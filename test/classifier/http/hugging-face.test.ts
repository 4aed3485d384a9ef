import request from 'supertest';
import { InferenceClient } from '@huggingface/inference';
import { readHuggingFaceRequest } from '../../../services/classifier/http/body/hugging-face-request';
import { collectGarbage } from '../../../shared/runtime/threads/collect-garbage';
import { classes, scoresOf } from '../../support/fake-inference';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

let harness: Harness;
let endpointUrl: string;

beforeAll(async () => {
  harness = await startHarness({ maxBytes: 60_000 });
  endpointUrl = `http://127.0.0.1:${harness.port}`;
});
afterAll(() => stopHarness(harness));

const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** A clip of 1 s whose text is of so many bytes. */
const clipOf = (bytes: number): string => '1.5 1'.padEnd(bytes);

async function ask(body: string, path = '/'): Promise<request.Response> {
  return request(harness.server).post(path).set('Content-Type', 'application/json').send(body);
}

describe('@huggingface/inference', () => {
  const client = new InferenceClient();

  it('gets the classes of a recording, at the address of the service and at /classify', async () => {
    const inputs = new Blob(['1.5 1']);
    const best = { label: 'rain', score: scoresOf(1.5)[1] };
    const answer = await client.audioClassification({ endpointUrl, inputs });
    expect(answer).toHaveLength(classes.length);
    expect(answer[0]).toEqual(best);
    const few = `${endpointUrl}/classify?format=hf&topK=1`;
    expect(await client.audioClassification({ endpointUrl: few, inputs })).toEqual([best]);
  });

  it('says in the words of the service why it got none', async () => {
    const refused = client.audioClassification({ endpointUrl, inputs: new Blob(['undecodable-audio']) });
    await expect(refused).rejects.toThrow('Failed with undecodable-audio.');
  });
});

describe('a request as JSON', () => {
  it.each([
    ['a short recording', 5],
    ['a recording of the largest size', 60_000],
  ])('carries %s in base64', async (_, bytes) => {
    const { status, body } = await ask(JSON.stringify({ inputs: base64(clipOf(bytes)) }));
    expect([status, body[0]]).toEqual([200, { label: 'rain', score: scoresOf(1.5)[1] }]);
  });

  it('says how many classes to name, at both addresses', async () => {
    const body = JSON.stringify({ parameters: { top_k: 2 }, inputs: base64(clipOf(20_000)) });
    expect((await ask(body)).body).toHaveLength(2);
    expect((await ask(body, '/classify?format=hf')).body).toHaveLength(2);
    expect((await ask(body, '/classify')).body.predictions).toHaveLength(2);
  });

  it('may escape slashes, as some encoders do', async () => {
    const inputs = base64(`1.5 1 ${'\xff'.repeat(3000)}`);
    expect(inputs).toContain('/');
    const text = JSON.stringify({ inputs }).replaceAll('/', '\\/');
    const [escaped, plain] = [await ask(text), await ask(JSON.stringify({ inputs }))];
    expect([escaped.status, escaped.text]).toEqual([200, plain.text]);
  });

  it.each([
    ['is no JSON', '{"inputs": ', /not JSON/],
    ['has no recording', '{}', /inputs/],
    ['has an empty one', '{"inputs": ""}', /empty/],
    ['has a number for one', '{"inputs": 1}', /inputs/],
    ['is not in base64', '{"inputs": "dog.wav"}', /not base64/],
    ['breaks off in base64', `{"inputs": "${'A'.repeat(4001)}"}`, /not base64/],
    ['has other characters in it', `{"inputs": "${'A'.repeat(4000)} AA="}`, /not base64/],
    ['asks for what is not known', `{"inputs": "AAAA", "parameters": {"top_p": 2}}`, /top_p/],
    ['asks for no class', `{"inputs": "AAAA", "parameters": {"top_k": 0}}`, /top_k/],
    ['has much before the recording', `{"a": [${'[],'.repeat(9000)}[]], "inputs": "AAAA"}`, /besides/],
    ['has much behind it', `{"inputs": "${'A'.repeat(4000)}", "a": [${'[],'.repeat(9000)}[]]}`, /besides/],
    ['never ends its string', `{"inputs": "${'A'.repeat(20_000)}`, /not JSON/],
    ['is all backslashes', `{"inputs": "${'\\'.repeat(20_001)}"}`, /not base64/],
    ['is all quotes', `{"inputs": "${'\\"'.repeat(10_000)}"}`, /besides/],
    ['escapes what base64 has not', `{"inputs": "${'A'.repeat(3999)}\\nA"}`, /not base64/],
    ['is audio under a wrong type', '1.5 1', /not JSON|body/],
  ])('that %s is refused with what to do', async (_, text, why) => {
    const { status, body } = await ask(text);
    expect([status, body.code]).toEqual([400, 'malformed-request']);
    expect(body.detail).toMatch(why);
  });

  it('takes memory for its recording alone, however small the pieces are that it comes in', async () => {
    const recording = Buffer.alloc(1_500_000, 'recording');
    const text = Buffer.from(JSON.stringify({ inputs: recording.toString('base64') }));
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    let taken = 0;
    const pieces = async function* (): AsyncGenerator<Buffer> {
      const last = text.byteLength - 4;
      for (let at = 0; at < last; at += 4) yield text.subarray(at, Math.min(last, at + 4));
      collectGarbage();
      taken = process.memoryUsage().heapUsed - before;
      yield await Promise.resolve(text.subarray(last));
    };
    const { bytes } = await readHuggingFaceRequest(pieces());
    expect(recording.equals(bytes)).toBe(true);
    expect(taken).toBeLessThan(10_000_000);
  });

  it('with too large a recording is refused', async () => {
    const { status, body } = await ask(JSON.stringify({ inputs: base64(clipOf(60_001)) }));
    expect([status, body.code]).toEqual([413, 'payload-too-large']);
  });
});
