import { createConnection, type Socket } from 'node:net';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { until } from '../../support/fake-clock';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';
import { StreamClient } from '../../support/stream-client';
import { square } from '../../support/signals';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness({
    maxStreams: 64,
    tuning: { startMs: 600, pingMs: 150, idleSeconds: 1, resumeSeconds: 0.05 },
  });
});
afterAll(() => stopHarness(harness));

const startMessage = { type: 'start', sampleRate: 16_000, silenceDbfs: null };
const second = square(16_000, 16_000, 0.5);

/** A connection that speaks whatever it likes below the protocol. */
async function raw(text: string): Promise<Socket> {
  const socket = createConnection(harness.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  socket.write(text, 'latin1');
  return socket;
}

const handshake = [
  'GET /stream HTTP/1.1',
  'Host: test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const head = (lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`;

/** A frame with its mask of zeros: what a browser would never send, but a program may. */
function frame(firstByte: number, payload: string, lengthByte = payload.length | 0x80): string {
  return String.fromCharCode(firstByte, lengthByte, 0, 0, 0, 0) + payload;
}

/** Says something below the protocol and waits until the service has hung up. */
async function rawUntilClosed(text: string): Promise<void> {
  const socket = await raw(text);
  if (!socket.closed) await once(socket, 'close');
}

async function client(...messages: (object | string | Uint8Array)[]): Promise<StreamClient> {
  const opened = await StreamClient.open(harness.port);
  for (const message of messages) {
    if (message instanceof Uint8Array) opened.sendBytes(message);
    else opened.send(message);
  }
  return opened;
}

async function ended(...messages: (object | string | Uint8Array)[]): Promise<void> {
  await (await client(...messages)).closed();
}

const kinds: [kind: string, act: () => Promise<unknown>][] = [
  ['connects and says nothing', () => ended()],
  [
    'hangs up in the middle of the handshake',
    async () => (await raw('GET /stream HTTP/1.1\r\nHost: te')).destroy(),
  ],
  ['hangs up right after the handshake', async () => (await raw(head(handshake))).destroy()],
  ['asks for an old WebSocket version', () => rawUntilClosed(head(handshake).replace(': 13', ': 8'))],
  ['sends no key in its handshake', () => rawUntilClosed(head(handshake.slice(0, -1)))],
  [
    'posts instead of upgrading',
    async () => (await raw(head(['POST /stream HTTP/1.1', 'Host: test', 'Content-Length: 0']))).end(),
  ],
  [
    'connects elsewhere',
    () => rawUntilClosed(head([...handshake, 'Connection: close']).replace('/stream', '/nowhere')),
  ],
  ['sends a frame without a mask', () => rawUntilClosed(`${head(handshake)}\x81\x02{}`)],
  ['uses reserved bits', () => rawUntilClosed(head(handshake) + frame(0xf1, '{}'))],
  ['uses an unknown opcode', () => rawUntilClosed(head(handshake) + frame(0x83, '{}'))],
  ['goes on with a message that it never began', () => rawUntilClosed(head(handshake) + frame(0x80, '{}'))],
  ['sends text that is not UTF-8', () => rawUntilClosed(head(handshake) + frame(0x81, '\xff\xfe'))],
  [
    'cuts a message into thousands of empty fragments',
    () => rawUntilClosed(head(handshake) + frame(0x02, '') + frame(0x00, '').repeat(5000)),
  ],
  [
    'announces a frame of 8 exabytes',
    () => rawUntilClosed(`${head(handshake)}\x82\xff\x7f${'\xff'.repeat(7)}\0\0\0\0`),
  ],
  ['sends 2 MiB in one frame', () => ended(startMessage, Buffer.alloc(2 * 1024 * 1024))],
  ['sends no JSON', () => ended('<start/>')],
  ['sends JSON nested 8000 deep', () => ended('['.repeat(8000))],
  ['sends audio before start', () => ended(Buffer.alloc(3200))],
  ['starts twice', () => ended(startMessage, startMessage)],
  ['asks for a hop of zero', () => ended({ ...startMessage, hopSeconds: 0 })],
  [
    'resumes what is not its own',
    () => ended({ type: 'resume', streamId: '00000000-0000-0000-0000-000000000000', lastSeq: 0 }),
  ],
  [
    'claims WebM and sends noise',
    () =>
      ended(
        { type: 'start', encoding: 'container' },
        Buffer.from('1a45dfa3ffffffffff', 'hex'),
        Buffer.alloc(20_000, 0x5a),
      ),
  ],
  ['starts, then drips nothing', () => ended(startMessage)],
  [
    'vanishes in the middle of a stream',
    async () => {
      const gone = await client(startMessage);
      gone.sendAudio(second);
      await gone.first('prediction');
      gone.socket.terminate();
    },
  ],
  [
    'never answers a ping',
    async () => {
      const silent = await StreamClient.open(harness.port, { autoPong: false });
      silent.send(startMessage);
      await silent.closed();
    },
  ],
  [
    'never reads',
    async () => {
      const deaf = await client({ ...startMessage, hopSeconds: 0.1 });
      deaf.socket.pause();
      for (let k = 0; k < 20; k += 1) deaf.sendAudio(second);
      await until(() => harness.admission.streams === 0);
      deaf.socket.terminate();
    },
  ],
];

/** What the process holds on to besides memory. */
function handles(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return { sockets: counts['TCPSocketWrap'] ?? 0, servers: counts['TCPServerWrap'] ?? 0 };
}

/** The service does for a decent client what it should. */
async function expectWell(): Promise<void> {
  const decent = await client(startMessage);
  decent.sendAudio(second);
  decent.send({ type: 'stop' });
  expect([await decent.closed(), decent.of('error')]).toEqual([1000, []]);
  expect(decent.of('prediction')).toHaveLength(1);
}

const calm = (): Promise<void> =>
  until(() => harness.admission.streams === 0 && harness.service.streams.size === 0);

describe('a client that', () => {
  it.each(kinds)('%s leaves the service as it was', async (_, act) => {
    await expectWell();
    await calm();
    const before = handles();
    await act();
    await calm();
    await until(() => handles()['sockets']! <= before['sockets']!);
    expect(handles()).toEqual(before);
    await expectWell();
    expect(harness.logLines.filter(({ level }) => (level as number) >= 50)).toEqual([]);
  });

  it('does any of it eight times over costs no memory', async () => {
    const cheap = kinds.filter(([kind]) => !/never|nothing|2 MiB/.test(kind));
    const used: number[] = [];
    while (used.length < 14) {
      await Promise.all(cheap.map(([, act]) => act()));
      await calm();
      harness.logLines.length = 0;
      used.push(await usedBytes());
    }
    // Half a megabyte comes and goes (pools of buffers, code that is compiled); what is lost stays, in
    // the least of several readings too.
    const growth = Math.min(...used.slice(11)) - Math.min(...used.slice(3, 6));
    expect(growth).toBeLessThan(1e6);
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function usedBytes(): Promise<number> {
  collectGarbage();
  // What was only kept by what is gone now goes too, once its end has been told.
  await setImmediate();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
