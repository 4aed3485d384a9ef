import { until } from '../../support/fake-clock';
import { RawConnection, uploadHead } from '../../support/raw-connection';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

let harness: Harness;

beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => stopHarness(harness));

async function upload(text: string): Promise<RawConnection> {
  const connection = new RawConnection(harness.port);
  await connection.send(uploadHead(text.length) + text);
  return connection;
}

describe('a client that hangs up', () => {
  it('in the middle of its upload frees its place', async () => {
    const connection = new RawConnection(harness.port);
    await connection.send(`${uploadHead(100)}half of it`);
    await until(() => harness.admission.unanswered === 1);
    connection.hangUp();
    await until(() => harness.admission.unanswered === 0);
    expect(harness.decoder.decoding).toBe(0);
  });

  it('in the middle of a form frees its place', async () => {
    const connection = new RawConnection(harness.port);
    const type = 'Content-Type: multipart/form-data; boundary=x';
    const part = '--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\nabc';
    await connection.send(uploadHead(1000, type) + part);
    await until(() => harness.admission.unanswered === 1);
    connection.hangUp();
    await until(() => harness.admission.unanswered === 0);
    expect(harness.decoder.decoding).toBe(0);
  });

  it('while its recording is decoded stops the decoder', async () => {
    const decoding = harness.decoder.nextDecode();
    const connection = await upload('hold');
    await decoding;
    expect(harness.decoder.decoding).toBe(1);
    connection.hangUp();
    await until(() => harness.decoder.decoding === 0 && harness.admission.unanswered === 0);
  });

  it('while its windows wait takes them out of the queue, unseen by the engine', async () => {
    const { inference, batcher, admission } = harness;
    inference.hold();
    const onEngine = inference.nextBatch();
    const stays = await upload('1 1');
    await onEngine;
    const leaves = await upload('2 10');
    await until(() => batcher.queuedItems === 3);
    leaves.hangUp();
    await until(() => batcher.queuedItems === 0 && admission.unanswered === 1);
    inference.release();
    await stays.until('"label":"rain"');
    expect(inference.batchSizes).toEqual([1]);
    stays.hangUp();
  });

  it('while its window is on the engine frees its place at once and disturbs nobody', async () => {
    const { inference, admission } = harness;
    inference.hold();
    const onEngine = inference.nextBatch();
    const leaves = await upload('1 1');
    await onEngine;
    const stays = await upload('2 1');
    await until(() => admission.unanswered === 2);
    leaves.hangUp();
    await until(() => admission.unanswered === 1);
    inference.release();
    expect(await stays.until('"label":"clock"')).toContain('HTTP/1.1 200 OK');
    stays.hangUp();
  });

  it('with several requests on their way gives up each of them', async () => {
    harness.inference.hold();
    const onEngine = harness.inference.nextBatch();
    const connection = await upload('1 1');
    await onEngine;
    const head = (text: string): string => uploadHead(text.length) + text;
    await connection.send(head('hold') + head('2 1'));
    connection.hangUp();
    await until(() => harness.admission.unanswered === 0 && harness.decoder.decoding === 0);
    harness.inference.release();
    await until(() => harness.logLines.length > 0);
    expect(harness.logLines.map(({ status }) => status)).not.toContain(200);
    expect(await harness.metrics.registry.metrics()).toMatch(/^earshot_http_requests_in_flight 0$/m);
  });

  it('is logged and counted as 499, never as our failure', async () => {
    const decoding = harness.decoder.nextDecode();
    const connection = await upload('hold');
    await decoding;
    connection.hangUp();
    await until(() => harness.logLines.length > 0);
    expect(harness.logLines[0]).toMatchObject({ level: 30, route: '/classify', status: 499 });
    expect(await harness.metrics.registry.metrics()).toContain(
      'earshot_http_request_duration_seconds_count{route="/classify",code="499"} 1',
    );
  });
});
