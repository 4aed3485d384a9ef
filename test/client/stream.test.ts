import WebSocket from 'ws';
import { createClient } from '../../shared/client/client';
import type { AudioStream, StreamState } from '../../shared/client/stream';
import type { StreamMessage, StreamSettings } from '../../shared/client/stream-contract';
import { ScriptedStreamServer, type ServerSide } from '../support/scripted-stream-server';
import { rejection } from '../support/rejection';

const settings: StreamSettings = { sampleRate: 8000, channels: 1, encoding: 'pcm_s16le', hopSeconds: 0.5 };
const secondBytes = 16_000;

/** Bytes that differ from place to place, so that what is lost, doubled or shifted shows. */
function audio(from: number, to: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: to - from }, (_, index) => ((from + index) * 2_654_435_761) >>> 24);
}

let server: ScriptedStreamServer;
let url: string;
let stream: AudioStream | undefined;
let messages: StreamMessage[];
let states: StreamState[];
let heard: () => void;

beforeEach(async () => {
  server = new ScriptedStreamServer();
  url = await server.listen();
});
afterEach(async () => {
  stream?.close();
  await server.close();
});

function open(apiKey?: string): AudioStream {
  messages = [];
  states = [];
  heard = () => undefined;
  const client = createClient({
    baseUrl: url,
    apiKey,
    createSocket: (address, protocols) => new WebSocket(address, [...protocols]),
  });
  stream = client.openStream({
    settings,
    onMessage: (message) => {
      messages.push(message);
      heard();
    },
    onState: (state) => {
      states.push(state);
      heard();
    },
  });
  return stream;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => (heard = resolve));
}

/** A stream that the server has accepted. */
async function opened(): Promise<{ side: ServerSide; stream: AudioStream }> {
  const client = open();
  const side = await server.connection();
  await side.message();
  side.say({ type: 'ready' });
  await until(() => states.at(-1)?.kind === 'open');
  return { side, stream: client };
}

describe('a stream', () => {
  it('starts with its settings, sends audio as it was given, and stops with the last word', async () => {
    const client = open('secret');
    client.send(audio(0, 1000));
    const side = await server.connection();
    expect(side.protocols).toBe('earshot.v1,earshot.key.secret');
    expect(await side.message()).toMatchObject({ type: 'start', ...settings });
    side.say({ type: 'ready' });
    await side.audio(1000);
    client.send(audio(1000, 300_000));
    expect(Buffer.compare(await side.audio(300_000), audio(0, 300_000))).toBe(0);

    const stopped = client.stop();
    expect(await side.message()).toEqual({ type: 'stop' });
    side.say({ type: 'prediction', seq: 1, endSeconds: 1 });
    side.say({ type: 'done', seq: 2 });
    side.close(1000);
    expect(await stopped).toMatchObject({ reason: 'stopped' });
    expect(messages.map(({ type }) => type)).toEqual(['ready', 'prediction', 'done']);
    expect(states.map(({ kind }) => kind)).toEqual(['connecting', 'open', 'ended']);
  });

  it('goes on after a lost connection where the server was, without a byte lost or doubled', async () => {
    const { side, stream: client } = await opened();
    client.send(audio(0, 2 * secondBytes));
    await side.audio(2 * secondBytes);
    side.say({ type: 'prediction', seq: 1, endSeconds: 1 });
    side.say({ type: 'event', seq: 2, onsetSeconds: 0.5 });
    await until(() => messages.length === 3);
    side.cut();
    await until(() => states.at(-1)?.kind === 'waiting');
    client.send(audio(2 * secondBytes, 3 * secondBytes));

    const again = await server.connection();
    expect(await again.message()).toEqual({ type: 'resume', streamId: 'one', lastSeq: 2 });
    // The server had not read everything when the line broke.
    again.say({ type: 'ready', resumed: true, receivedBytes: secondBytes + 7 });
    const expected = audio(secondBytes + 7, 3 * secondBytes);
    expect(Buffer.compare(await again.audio(expected.length), expected)).toBe(0);
    again.say({ type: 'prediction', seq: 3, endSeconds: 3 });
    await until(() => messages.length === 5);
    expect(messages.at(-1)).toMatchObject({ type: 'prediction', endSeconds: 3 });
  });

  it('begins anew where nothing was judged yet when the server knows it no more, its times going on', async () => {
    const { side, stream: client } = await opened();
    client.send(audio(0, 4 * secondBytes));
    await side.audio(4 * secondBytes);
    side.say({ type: 'prediction', seq: 1, endSeconds: 2.5 });
    await until(() => messages.length === 2);
    side.cut();
    const refused = await server.connection();
    expect(await refused.message()).toMatchObject({ type: 'resume' });
    refused.say({ type: 'error', code: 'not-found' });
    refused.close(1008);

    const fresh = await server.connection();
    expect(await fresh.message()).toMatchObject({ type: 'start', sampleRate: 8000 });
    fresh.say({ type: 'ready', streamId: 'two' });
    const rest = audio(2.5 * secondBytes, 4 * secondBytes);
    expect(Buffer.compare(await fresh.audio(rest.length), rest)).toBe(0);
    fresh.say({ type: 'prediction', seq: 1, startSeconds: 0, endSeconds: 1 });
    fresh.say({ type: 'event', seq: 2, event: 'ended', onsetSeconds: 0.25, offsetSeconds: 1 });
    await until(() => messages.length === 5);
    expect(messages.slice(3)).toMatchObject([
      { startSeconds: 2.5, endSeconds: 3.5 },
      { onsetSeconds: 2.75, offsetSeconds: 3.5 },
    ]);
    // What is resumed next is the new stream.
    fresh.cut();
    expect(await (await server.connection()).message()).toEqual({
      type: 'resume',
      streamId: 'two',
      lastSeq: 2,
    });
  });

  it('starts again when the server says goodbye, not before it said so', async () => {
    const { side } = await opened();
    const saidAt = performance.now();
    side.say({ type: 'done', seq: 1, reason: 'draining', retryAfterSeconds: 0.6 });
    side.close(1001);
    await until(() => states.at(-1)?.kind === 'waiting');
    expect(states.at(-1)).toMatchObject({ reason: { code: 'draining' } });
    expect(await (await server.connection()).message()).toMatchObject({ type: 'start' });
    expect(performance.now() - saidAt).toBeGreaterThan(590);
  });

  it('ends with what the server refuses for good', async () => {
    const client = open();
    const side = await server.connection();
    await side.message();
    side.say({ type: 'error', code: 'unsupported-media', message: 'not this' });
    side.close(1003);
    expect(await rejection(client.stop())).toMatchObject({ code: 'unsupported-media', message: 'not this' });
    expect(states.map(({ kind }) => kind)).toEqual(['connecting', 'ended']);
  });

  it.each(['overloaded', 'starting', 'draining', 'engine-unavailable', 'rate-limited'] as const)(
    'says %s when that is why the handshake is refused, and tries again',
    async (code) => {
      server.refuseWith = code;
      open();
      await until(() => states.at(-1)?.kind === 'waiting');
      expect(states.at(-1)).toMatchObject({ reason: { code } });
      server.refuseWith = undefined;
      expect(await (await server.connection()).message()).toMatchObject({ type: 'start' });
    },
  );

  it.each(['unauthorized', 'forbidden', 'not-found'] as const)(
    'ends when the handshake is refused with %s',
    async (code) => {
      server.refuseWith = code;
      expect(await rejection(open().stop())).toMatchObject({ code });
      expect(states.map(({ kind }) => kind)).toEqual(['connecting', 'ended']);
    },
  );

  it('says unreachable when nobody is there, and can be closed', async () => {
    await server.close();
    const client = open();
    await until(() => states.at(-1)?.kind === 'waiting');
    expect(states.at(-1)).toMatchObject({ reason: { code: 'unreachable' } });
    client.close();
    expect(states.at(-1)).toEqual({ kind: 'ended' });
    server = new ScriptedStreamServer();
    await server.listen();
  });

  it('keeps no more audio than could still be asked for, and starts anew when it lacks some', async () => {
    const { side, stream: client } = await opened();
    client.send(audio(0, secondBytes));
    await side.audio(secondBytes);
    side.cut();
    await until(() => states.at(-1)?.kind === 'waiting');
    for (let second = 1; second < 60; second += 1) {
      client.send(audio(second * secondBytes, (second + 1) * secondBytes));
    }
    const again = await server.connection();
    await again.message();
    again.say({ type: 'ready', resumed: true, receivedBytes: secondBytes });
    const fresh = await server.connection();
    expect(await fresh.message()).toMatchObject({ type: 'start' });
    fresh.say({ type: 'ready', streamId: 'two' });
    fresh.say({ type: 'prediction', seq: 1, endSeconds: 1 });
    await until(() => messages.at(-1)?.type === 'prediction');
    const { endSeconds } = messages.at(-1) as { endSeconds: number };
    const expected = audio((endSeconds - 1) * secondBytes, 60 * secondBytes);
    expect(expected.length / secondBytes).toBeGreaterThanOrEqual(40);
    expect(expected.length / secondBytes).toBeLessThanOrEqual(42);
    expect(Buffer.compare(await fresh.audio(expected.length), expected)).toBe(0);
  });

  it('takes a line on which due answers stay away for dead, and goes on over another', async () => {
    const { side, stream: client } = await opened();
    client.send(audio(0, 2 * secondBytes));
    await side.audio(2 * secondBytes);
    const now = Date.now();
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now + 14_000);
    client.send(audio(2 * secondBytes, 3 * secondBytes));
    expect(states.at(-1)?.kind).toBe('open');
    clock.mockImplementation(() => now + 16_000);
    client.send(audio(3 * secondBytes, 4 * secondBytes));
    clock.mockRestore();
    expect(states.at(-1)).toMatchObject({ kind: 'waiting', reason: { code: 'unreachable' } });
    expect(await (await server.connection()).message()).toEqual({
      type: 'resume',
      streamId: 'one',
      lastSeq: 0,
    });
  });

  it('leaves out what a network too slow cannot carry, rather than keep all of it', async () => {
    const { side, stream: client } = await opened();
    side.pause();
    const second = audio(0, secondBytes);
    let sentSeconds = 0;
    for (; states.at(-1)?.kind === 'open' && sentSeconds < 4000; sentSeconds += 1) {
      client.send(second);
      // Some goes on its way only when others may run.
      if (sentSeconds % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(states.at(-1)).toMatchObject({ kind: 'waiting', reason: { code: 'request-timeout' } });
    const fresh = await server.connection();
    side.cut();
    expect(await fresh.message()).toMatchObject({ type: 'start' });
    fresh.say({ type: 'ready', streamId: 'two' });
    client.send(audio(7, 7 + secondBytes));
    expect(Buffer.compare(await fresh.audio(secondBytes), audio(7, 7 + secondBytes))).toBe(0);
    fresh.say({ type: 'prediction', seq: 1, endSeconds: 1 });
    await until(() => messages.at(-1)?.type === 'prediction');
    expect(messages.at(-1)).toMatchObject({ startSeconds: sentSeconds, endSeconds: sentSeconds + 1 });
  });

  it('holds back who sends faster than is judged', async () => {
    const { side, stream: client } = await opened();
    client.send(audio(0, 30 * secondBytes));
    let drained = false;
    const waiting = client.drained().then(() => (drained = true));
    await side.audio(30 * secondBytes);
    side.say({ type: 'prediction', seq: 1, endSeconds: 5 });
    await until(() => messages.length === 2);
    expect(drained).toBe(false);
    side.say({ type: 'prediction', seq: 2, endSeconds: 15 });
    await waiting;
    expect(drained).toBe(true);
  });
});
