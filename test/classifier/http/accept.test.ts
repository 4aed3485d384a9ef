import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => stopHarness(harness));

const json = 'application/json';
const text = 'text/plain';

describe('the form of an answer', () => {
  it.each<[string, string | undefined]>([
    ['*/*', json],
    ['', json],
    [json, json],
    ['application/json; charset=utf-8', json],
    ['application/json;charset=UTF-8', json],
    ['Application/JSON ; version="1,2"', json],
    ['text/plain; charset=utf-8', text],
    ['*/*; charset=utf-8', json],
    ['text/*', text],
    ['text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', json],
    ['application/json;q=0.3, text/plain;q=0.5', text],
    ['application/json;q=0, */*', text],
    ['text/plain;q=0, application/*;q=0.1', json],
    ['text/plain, application/json', json],
    ['text/*;q=0.9, */*;q=0.5', text],
    ['*/*;q=0.9, application/json;q=0.1', text],
    ['application/json;q=0', undefined],
    ['*/*;q=0', undefined],
    ['application/json;q=0.000, text/plain;Q=0', undefined],
    ['application/problem+json', undefined],
    ['image/png', undefined],
  ])('Accept: %s', async (accept, expected) => {
    const url = `http://127.0.0.1:${harness.port}/classify`;
    const response = await fetch(url, { method: 'POST', body: '1 1', headers: { accept } });
    const type = response.headers.get('content-type')!.split(';')[0];
    expect([response.status, type]).toEqual(
      expected === undefined ? [406, 'application/problem+json'] : [200, expected],
    );
  });
});

describe('the page of the API', () => {
  it.each(['/docs', '/docs/'])('finds its parts from %s', async (path) => {
    const address = `http://127.0.0.1:${harness.port}${path}`;
    const page = await (await fetch(address)).text();
    const parts = [...page.matchAll(/(?:href|src)="([^"]+\.(?:css|js))"/g)].map(([, part]) => part!);
    expect(parts).toHaveLength(3);
    for (const part of parts) expect((await fetch(new URL(part, address))).status).toBe(200);
  });
});
