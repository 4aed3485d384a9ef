import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import request from 'supertest';
import { routePaths } from '../../../services/classifier/app';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

interface Operation {
  readonly parameters: readonly { name: string; schema: object }[];
  readonly responses: Record<string, { content: Record<string, { schema: object }> }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

let harness: Harness;
let document: Document;

beforeAll(async () => {
  harness = await startHarness({ maxBytes: 1000 });
  document = (await request(harness.server).get('/openapi.json')).body as Document;
});
afterAll(() => stopHarness(harness));

/**
 * What an independent validator finds wrong with an answer, by the schema that the document gives for
 * it.
 */
function problemsWith(response: request.Response, path: string, method: string): unknown {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema({ $id: 'doc:', ...document });
  const type = (response.headers['content-type'] ?? '').split(';')[0]!;
  const operation = ['paths', path, method, 'responses', String(response.status), 'content', type, 'schema'];
  const pointer = operation.map((part) =>
    encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')),
  );
  const validate = ajv.getSchema(`doc:#/${pointer.join('/')}`);
  if (validate === undefined) return `the document has no ${operation.join(' > ')}`;
  return validate(response.body) === true ? [] : validate.errors;
}

describe('GET /openapi.json', () => {
  it('is a valid OpenAPI 3.1 document', () => {
    // The validator is an ES module, which Jest's own module system cannot load: it gets a process of
    // its own.
    const program = `
      import { readFileSync } from 'node:fs';
      import { Validator } from '${pathToFileURL(require.resolve('@seriousme/openapi-schema-validator')).href}';
      const validator = new Validator();
      const { valid, errors } = await validator.validate(JSON.parse(readFileSync(0, 'utf8')));
      console.log(JSON.stringify({ valid, errors, version: validator.version }));`;
    const check = (input: unknown): unknown => {
      const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
        input: JSON.stringify(input),
        encoding: 'utf8',
      });
      return JSON.parse(output);
    };
    expect(check(document)).toEqual({ valid: true, version: '3.1' });
    expect(check({ ...document, paths: { classify: {} } })).toMatchObject({ valid: false });
  });

  it.each(['/openapi.json', '/asyncapi.json'])(
    '%s is JSON that a client need not fetch twice',
    async (path) => {
      const { headers, status } = await request(harness.server).get(path);
      expect([status, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
      const again = await request(harness.server).get(path).set('If-None-Match', headers['etag']!);
      expect([again.status, again.text]).toEqual([304, '']);
    },
  );

  it('describes every path of the service but the page and the documentation itself', () => {
    const own = ['/page/:digest/*path', '/openapi.json', '/asyncapi.json', '/problems/:code', 'other'];
    const served = routePaths.filter((path) => !own.includes(path) && !path.startsWith('/docs'));
    const templates = served.map((path) => path.replace(/:(\w+)/g, '{$1}'));
    expect(Object.keys(document.paths).sort()).toEqual(templates.sort());
  });

  it('describes the options as they are checked', () => {
    const parameters = document.paths['/classify']!['post']!.parameters;
    const schemas = new Map(parameters.map(({ name, schema }) => [name, schema]));
    expect(schemas.get('topK')).toEqual({ type: 'integer', minimum: 1, maximum: 1000, default: 5 });
    expect(schemas.get('hopSeconds')).toEqual({ type: 'number', minimum: 0.1, maximum: 60 });
    expect(schemas.get('format')).toEqual({ type: 'string', enum: ['full', 'hf'], default: 'full' });
  });

  it('refers only to schemas that it holds', () => {
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(new Set(references)).toEqual(new Set(Object.keys(document.components.schemas)));
  });
});

describe('real answers are as the document says', () => {
  const post = (text: string, query = ''): request.Test =>
    request(harness.server).post(`/classify${query}`).send(Buffer.from(text));

  it.each([
    ['a classification', 200, () => post('1 12')],
    ['scores', 200, () => post('1 1', '?format=hf')],
    ['a refused query', 400, () => post('1 1', '?topK=0')],
    ['no acceptable form', 406, () => post('1 1').set('Accept', 'image/png')],
    ['an upload that is too large', 413, () => post('x'.repeat(1001))],
    ['something that is not audio', 415, () => post('unsupported-media')],
    ['broken audio', 422, () => post('undecodable-audio')],
    ['a defect', 500, () => post('defect')],
  ])('%s (%i)', async (_, status, send) => {
    const response = await send();
    expect(response.status).toBe(status);
    expect(problemsWith(response, '/classify', 'post')).toEqual([]);
  });

  it('scores, as JSON that Hugging Face’s clients send', async () => {
    const response = await request(harness.server)
      .post('/')
      .send({ inputs: Buffer.from('1 1').toString('base64') });
    expect(response.status).toBe(200);
    expect(problemsWith(response, '/', 'post')).toEqual([]);
  });

  it.each(['/healthz', '/readyz', '/models'])('%s', async (path) => {
    expect(problemsWith(await request(harness.server).get(path), path, 'get')).toEqual([]);
  });

  it('and the check would notice one that is not', async () => {
    const response = await post('1 1');
    response.body.predictions[0].probability = 'high';
    expect(problemsWith(response, '/classify', 'post')).not.toEqual([]);
  });
});

describe('GET /docs', () => {
  it('is a page whose parts all come from this host', async () => {
    const { text, headers } = await request(harness.server).get('/docs');
    expect(headers['content-type']).toMatch('text/html');
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    const parts = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
    expect(parts).toContain('docs/swagger-ui-bundle.js');
    for (const part of parts.filter((url) => !url.startsWith('data:'))) {
      expect(part).not.toMatch(/^(https?:)?\/\//);
      const { status, headers: partHeaders } = await request(harness.server).get(`/${part}`);
      expect([part, status, partHeaders['content-type']]).toEqual([
        part,
        200,
        expect.stringMatching(/javascript|css/),
      ]);
    }
  });

  it('serves the library unchanged', async () => {
    const { text } = await request(harness.server).get('/docs/swagger-ui.css');
    expect(text).toBe(readFileSync(require.resolve('swagger-ui-dist/swagger-ui.css'), 'utf8'));
  });
});
