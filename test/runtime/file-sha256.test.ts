import { createHash } from 'node:crypto';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSha256 } from '../../shared/runtime/file-sha256';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-sha256-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('the digest of a file', () => {
  it('is worked out once for as many as ask, and in pieces', async () => {
    const file = join(folder, 'large');
    const bytes = Buffer.alloc(48 * 2 ** 20, 7);
    await writeFile(file, bytes);
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns += 1;
      if (counting) setImmediate(count);
    };
    count();
    const startedMs = performance.now();
    const all = await Promise.all(Array.from({ length: 8 }, () => fileSha256(file)));
    const firstMs = performance.now() - startedMs;
    counting = false;
    expect(new Set(all)).toEqual(new Set([digestOf(bytes)]));
    expect(turns).toBeGreaterThan(100);
    for (let k = 0; k < 8; k += 1) await fileSha256(file);
    expect(performance.now() - startedMs - firstMs).toBeLessThan(firstMs);
  });

  it('is another as soon as the file is, also of the same size and the same time of modification', async () => {
    const file = join(folder, 'changing');
    const then = new Date('2026-01-01');
    for (const content of ['first', 'other', 'third']) {
      await writeFile(file, content);
      await utimes(file, then, then);
      expect(await fileSha256(file)).toBe(digestOf(Buffer.from(content)));
    }
    await rm(file);
    await expect(fileSha256(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
