import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import TestSequencer, { type TestSequencerOptions } from '@jest/test-sequencer';

type Tests = Parameters<TestSequencer['sort']>[0];

/**
 * The files that take longest, the longest first: a worker that came to one of them last would keep all
 * others waiting for it. The order is that of their times on two cores.
 */
const longest = [
  'native/build',
  'component/promotion',
  'component/own-sounds',
  'jobs/killed-runs',
  'classifier/page/page',
  'native/reference',
  'jobs/queue-contract',
  'trainer/small-training',
  'jobs/faults',
  'deployment/proxies',
  'classifier/stream/misbehaviour',
  'trainer/training',
  'trainer/reproduce',
  'native/clang',
  'decode/damage',
  'compute/network/forward',
  'decode/formats',
  'cli/admin',
  'trainer/without-tensorflow',
  'component/service-process',
  'component/committed-version',
  'decode/ffmpeg',
  'decode/pool/decoder-lanes',
  'component/multi-label',
  'decode/codecs/ogg',
  'jobs/redis-troubles',
  'build/start',
  'component/engine-arrival',
];

/** Jest's order where it remembers how long each file took; else these first, then the largest. */
export default class LongestFirst extends TestSequencer {
  readonly #ranks: ReadonlyMap<string, number>;

  constructor(options: TestSequencerOptions) {
    super(options);
    const missing = longest.filter((name) => !existsSync(join(__dirname, '..', `${name}.test.js`)));
    if (missing.length > 0)
      throw new Error(`test/support/longest-first.ts names no test: ${missing.join(', ')}`);
    this.#ranks = new Map(longest.map((name, rank) => [`${name}.test.js`, rank]));
  }

  override async sort(tests: Tests): Promise<Tests> {
    const sorted = await super.sort(tests);
    if (sorted.every(({ duration }) => duration !== undefined)) return sorted;
    const folder = join(__dirname, '..');
    const rankOf = (path: string): number => this.#ranks.get(relative(folder, path)) ?? longest.length;
    return sorted.sort((a, b) => rankOf(a.path) - rankOf(b.path));
  }
}
