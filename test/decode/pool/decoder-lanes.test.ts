import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import type { ClipDecoder } from '../../../shared/signal/clip';
import { swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';

const request = { sampleRate: 48_001, maxSeconds: 600, consume: true };
const longSeconds = 580;
/** Resampled to an odd rate: a second's work and more. */
const long = wavFile([new Float32Array(8_000 * longSeconds)], { sampleRate: 8_000, type: 'u8' });
const short = wavFile([swell(0.1, 48_001)], { sampleRate: 48_001, type: 'f32' });

let pool: ClipDecoder;
let order: string[];

async function decode(
  name: string,
  options: { readonly isBackground?: boolean; readonly caller?: string } = {},
): Promise<void> {
  const bytes = new Uint8Array(name.startsWith('long') ? long : short);
  const { samples } = await pool.decode(bytes, { ...request, ...options });
  expect(samples).toHaveLength(name.startsWith('long') ? longSeconds * 48_001 : 4_800);
  order.push(name);
}

beforeEach(async () => {
  pool = createDecoderPool({ threads: 1, longThreads: 1 });
  order = [];
  await decode('first');
});
afterEach(() => pool.close());

describe('a decoder with a thread for long recordings', () => {
  it('answers who sends a short one before the long ones that were there first, and all of them', async () => {
    await Promise.all([
      ...[decode('long 1'), decode('long 2'), decode('long 3')],
      decode('short', { caller: 'another' }),
    ]);
    expect(order.slice(0, 2)).toEqual(['first', 'short']);
    expect(order.slice(2).sort()).toEqual(['long 1', 'long 2', 'long 3']);
  });

  it('works where nobody waits behind those for whom somebody does', async () => {
    const background = ['long -1', 'long -2'].map((name) => decode(name, { isBackground: true }));
    await Promise.all([...background, decode('long 1'), decode('long 2')]);
    expect(order.slice(0, 3).sort()).toEqual(['first', 'long 1', 'long 2']);
  });

  it('drops a long one whose caller leaves, wherever it is', async () => {
    const stop = new AbortController();
    const { signal } = stop;
    const left = [1, 2, 3].map(() => pool.decode(new Uint8Array(long), { ...request, signal }));
    const refused = Promise.allSettled(left);
    await decode('short', { caller: 'another' });
    stop.abort();
    expect((await refused).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    // All of the pool is free again.
    await Promise.all([decode('long 1'), decode('short again')]);
    expect(order).toEqual(['first', 'short', 'short again', 'long 1']);
  });
});
