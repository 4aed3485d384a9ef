import request from 'supertest';
import { errorCodes } from '../../../shared/errors/app-error';
import { until } from '../../support/fake-clock';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

let harness: Harness;

beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => stopHarness(harness));

const post = (text: string): request.Test =>
  request(harness.server).post('/classify').send(Buffer.from(text));

/** Every sample of the text exposition by its series, `name{labels}`. */
async function scrape(): Promise<Map<string, number>> {
  const { text, headers } = await request(harness.server).get('/metrics');
  expect(headers['content-type']).toMatch('text/plain; version=0.0.4');
  const samples = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => /^(\S+(?:\{.*\})?) (\S+)$/.exec(line)!);
  return new Map(samples.map(([, series, value]) => [series!, Number(value)]));
}

describe('GET /metrics', () => {
  it('starts every counter at 0', async () => {
    const metrics = await scrape();
    for (const code of errorCodes) expect(metrics.get(`earshot_rejected_total{reason="${code}"}`)).toBe(0);
    expect(metrics.get('earshot_decode_failures_total{format="mp3",reason="undecodable-audio"}')).toBe(0);
    expect(metrics.get('earshot_http_request_duration_seconds_count{route="/classify",code="200"}')).toBe(0);
    expect(metrics.get('earshot_engine_lost_total')).toBe(0);
  });

  it('counts known traffic exactly', async () => {
    await post('1 3');
    await post('2 10');
    await post('undecodable-audio');
    await post('');
    await request(harness.server).get('/made/up/path');
    const metrics = await scrape();
    const read = (series: string): number | undefined => metrics.get(series);
    expect(read('earshot_http_request_duration_seconds_count{route="/classify",code="200"}')).toBe(2);
    expect(read('earshot_http_request_duration_seconds_count{route="/classify",code="422"}')).toBe(1);
    expect(read('earshot_http_request_duration_seconds_count{route="/classify",code="400"}')).toBe(1);
    expect(read('earshot_http_request_duration_seconds_count{route="other",code="404"}')).toBe(1);
    expect(read('earshot_decode_duration_seconds_count')).toBe(3);
    expect(read('earshot_decode_failures_total{format="mp3",reason="undecodable-audio"}')).toBe(1);
    expect(read('earshot_queue_duration_seconds_count')).toBe(2);
    expect(read('earshot_audio_seconds_total')).toBe(13);
    expect(read('earshot_rejected_total{reason="undecodable-audio"}')).toBe(1);
    expect(read('earshot_rejected_total{reason="malformed-request"}')).toBe(1);
    expect(read('earshot_rejected_total{reason="not-found"}')).toBe(1);
    expect(read('earshot_upload_size_bytes_sum')).toBe(
      '1 3'.length + '2 10'.length + 'undecodable-audio'.length,
    );
    expect(read('earshot_predictions_total{class="rain"}')).toBe(1);
    expect(read('earshot_predictions_total{class="clock"}')).toBe(1);
    // The scrape itself is the one in flight.
    expect(read('earshot_http_requests_in_flight')).toBe(1);
    expect(read('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  });

  it('counts a container it does not know as other', async () => {
    harness.metrics.countDecodeFailure('undecodable-audio', '<script>');
    harness.metrics.countDecodeFailure('undecodable-audio', undefined);
    harness.metrics.countDecodeFailure('cancelled', 'mp3');
    const metrics = await scrape();
    expect(metrics.get('earshot_decode_failures_total{format="other",reason="undecodable-audio"}')).toBe(1);
    expect(metrics.get('earshot_decode_failures_total{format="unknown",reason="undecodable-audio"}')).toBe(1);
    expect([...metrics.keys()].filter((series) => series.includes('script'))).toEqual([]);
  });

  it('shows which model answers, and only that one', async () => {
    const labels = { version: 'v1', architecture: 'cnn', sha256: 'aa', engine: 'cpu' };
    harness.metrics.showModel(labels, ['dog']);
    harness.metrics.showModel({ ...labels, version: 'v2' }, ['dog']);
    const infos = [...(await scrape())].filter(([series]) => series.startsWith('earshot_model_info'));
    expect(infos).toEqual([
      ['earshot_model_info{version="v2",architecture="cnn",sha256="aa",engine="cpu"}', 1],
    ]);
  });

  it('names its own metrics by the conventions', async () => {
    const { text } = await request(harness.server).get('/metrics');
    const types = [...text.matchAll(/^# TYPE (earshot_\S+) (\S+)$/gm)];
    expect(types.length).toBeGreaterThan(10);
    for (const [, name, type] of types) {
      expect(`${name!} ${type!}`).toMatch(
        /_total counter$|_(seconds|bytes|size|ratio|dbfs|attempts) histogram$|_(in_flight|bytes|info|depth|accepted|ready|reachable|active|detached|windows|index|jobs|seconds|aside|waiting|stopped) gauge$/,
      );
    }
  });
});

describe('the log', () => {
  it('has one line per request with method, route, status, time and id, and nothing of the upload', async () => {
    harness.logLines.length = 0;
    const { body } = await request(harness.server)
      .post('/classify?topK=1')
      .attach('audio', Buffer.from('1 1'), 'my-secret-name.wav');
    await until(() => harness.logLines.length > 0);
    expect(harness.logLines).toHaveLength(1);
    const [line] = harness.logLines;
    expect(line).toMatchObject({
      msg: 'request',
      requestId: body.requestId,
      method: 'POST',
      route: '/classify',
      status: 200,
    });
    expect(line!['ms']).toBeGreaterThan(0);
    expect(JSON.stringify(line)).not.toMatch(/secret|topK/);
  });

  it('names the code of what failed', async () => {
    harness.logLines.length = 0;
    await post('empty-audio');
    await until(() => harness.logLines.length > 0);
    expect(harness.logLines).toEqual([
      expect.objectContaining({ status: 422, code: 'empty-audio', level: 30 }),
    ]);
  });
});
