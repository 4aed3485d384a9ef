import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import specifications from '@asyncapi/specs';
import request from 'supertest';
import { closeCodes } from '../../../shared/contracts/stream';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';
import { StreamClient } from '../../support/stream-client';
import { square } from '../../support/signals';

interface Document {
  readonly info: { readonly description: string };
  readonly operations: Record<string, { readonly messages: readonly { readonly $ref: string }[] }>;
  readonly components: { readonly schemas: Record<string, object> };
}

let harness: Harness;
let document: Document;

beforeAll(async () => {
  harness = await startHarness();
  document = (await request(harness.server).get('/asyncapi.json')).body as Document;
});
afterAll(() => stopHarness(harness));

/** What the AsyncAPI initiative's own schema finds wrong with a document. */
function problemsOf(candidate: unknown): unknown {
  // The specification brings the meta schema along that ajv would add of its own.
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false, validateFormats: false });
  return ajv.compile(specifications.schemas['3.0.0'] as object)(candidate) ? [] : 'not valid';
}

describe('GET /asyncapi.json', () => {
  it('is a valid AsyncAPI 3.0 document', () => {
    expect(problemsOf(document)).toEqual([]);
    expect(problemsOf({ ...document, operations: { listen: { action: 'wait' } } })).toBe('not valid');
  });

  it('explains every close code', () => {
    for (const code of Object.values(closeCodes)) expect(document.info.description).toContain(`* ${code}: `);
  });

  it('describes what is really said: messages of a live stream hold to its schemas, and others do not', async () => {
    const ajv = new Ajv2020({ strict: false });
    addFormats(ajv);
    ajv.addSchema({ $id: 'doc:', ...document });
    const validate = (name: string, message: unknown): boolean =>
      ajv.getSchema(`doc:#/components/schemas/${name}`)!(message) as boolean;

    const start = { type: 'start', sampleRate: 16_000, silenceDbfs: null };
    expect(validate('start', start)).toBe(true);
    expect(validate('start', { ...start, hopSecond: 1 })).toBe(false);
    const client = await StreamClient.open(harness.port);
    client.send(start);
    client.sendAudio(square(32_000, 16_000, 0.5));
    client.send({ type: 'stop' });
    await client.closed();
    const types = new Set(client.messages.map(({ type }) => type));
    expect(types).toEqual(new Set(['ready', 'prediction', 'event', 'done']));
    for (const message of client.messages) {
      expect(validate(message.type, message)).toBe(true);
      expect(validate(message.type, { ...message, type: 'other' })).toBe(false);
    }
  });
});
