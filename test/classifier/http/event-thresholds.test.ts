import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => stopHarness(harness));

async function post(query: Record<string, string>): Promise<Response> {
  const url = `http://127.0.0.1:${harness.port}/classify?${new URLSearchParams(query).toString()}`;
  return fetch(url, { method: 'POST', body: '1 1' });
}

describe('thresholds of an upload’s events', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ['a class that the model does not have', { events: 'true', thresholds: '{"cow": 1}' }, /no class cow/],
    ['no JSON', { events: 'true', thresholds: 'dog:0.5' }, /expected a JSON object/],
    ['a score beyond 1', { events: 'true', thresholds: '{"dog": 2}' }, /expected a JSON object/],
    [
      'an answer without events',
      { events: 'true', format: 'hf', thresholds: '{"dog": 1}' },
      /format=hf does not name/,
    ],
    ['none that are asked for', { thresholds: '{"dog": 1}' }, /add events=true/],
  ])('of %s are refused', async (_, query, message) => {
    const response = await post(query);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { detail: string }).detail).toMatch(message);
  });
});
