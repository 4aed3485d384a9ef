import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assignFolds, type UnfoldedClip } from '../../shared/datasets/assign-folds';
import { readDatasetCsv } from '../../shared/datasets/dataset-csv';
import { describeWithEsc10, esc10Folder } from '../support/esc10';

/** `counts[i]` clips of class `name`, of sources with `perSource` clips each. */
function clips(name: string, count: number, perSource = 1): UnfoldedClip[] {
  return Array.from({ length: count }, (_, index) => ({
    filename: `${name}-${index}.wav`,
    category: name,
    source: `${name}-${Math.floor(index / perSource)}`,
  }));
}

/** Clips of a class in each fold, counted the plain way. */
function table(list: readonly UnfoldedClip[], folds: readonly number[]): Record<string, number[]> {
  const counts: Record<string, number[]> = {};
  list.forEach(({ category }, index) => {
    counts[category] ??= new Array<number>(Math.max(...folds)).fill(0);
    counts[category][folds[index]! - 1]! += 1;
  });
  return counts;
}

function sourcesSplit(list: readonly UnfoldedClip[], folds: readonly number[]): number {
  const foldsOf = new Map<string, Set<number>>();
  list.forEach(({ source }, index) =>
    foldsOf.set(source, (foldsOf.get(source) ?? new Set()).add(folds[index]!)),
  );
  return [...foldsOf.values()].filter(({ size }) => size > 1).length;
}

describe('folds for clips that have none', () => {
  it('are five, and each class is spread evenly', () => {
    const list = [...clips('dog', 40), ...clips('rain', 10), ...clips('door', 7)];
    const { folds, problems } = assignFolds(list);
    const { dog, rain, door } = table(list, folds);
    expect(problems).toEqual([]);
    expect(dog).toEqual([8, 8, 8, 8, 8]);
    expect(rain).toEqual([2, 2, 2, 2, 2]);
    expect([...door!].sort()).toEqual([1, 1, 1, 2, 2]);
  });

  it('keep clips of one source together, and still balance classes', () => {
    const list = [...clips('dog', 60, 3), ...clips('rain', 25, 2), ...clips('saw', 30, 1)];
    const { folds } = assignFolds(list);
    expect(sourcesSplit(list, folds)).toBe(0);
    for (const counts of Object.values(table(list, folds))) {
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3);
      expect(Math.min(...counts)).toBeGreaterThan(0);
    }
  });

  it('keep a source together that two classes were cut from', () => {
    const shared = ['dog', 'rain'].flatMap((category) =>
      clips(category, 10).map((clip, index) => ({ ...clip, source: `walk-${index}` })),
    );
    const { folds } = assignFolds(shared);
    expect(sourcesSplit(shared, folds)).toBe(0);
    expect(table(shared, folds)).toEqual({ dog: [2, 2, 2, 2, 2], rain: [2, 2, 2, 2, 2] });
  });

  it('do not depend on the order of the list', () => {
    const list = [...clips('dog', 40, 3), ...clips('rain', 23)];
    const byName = (shuffled: readonly UnfoldedClip[]): Map<string, number> => {
      const { folds } = assignFolds(shuffled);
      return new Map(shuffled.map(({ filename }, index) => [filename, folds[index]!]));
    };
    const first = byName(list);
    const again = byName([...list].reverse());
    expect([...first].every(([name, fold]) => again.get(name) === fold)).toBe(true);
  });

  it.each([
    [4, 4],
    [3, 3],
  ])('are fewer where a class has only %d sources', (sources, expected) => {
    const list = [...clips('dog', 40), ...clips('rare', sources)];
    const { folds, problems } = assignFolds(list);
    expect([new Set(folds).size, problems]).toEqual([expected, []]);
    expect(table(list, folds)['rare']).toEqual(new Array(expected).fill(1));
  });

  it('are refused where a class has fewer than three sources, however many clips', () => {
    expect(assignFolds([...clips('dog', 40), ...clips('rare', 40, 20), ...clips('one', 1)]).problems).toEqual(
      [
        'category rare has clips of 2 sources; folds are made of at least 3',
        'category one has clips of 1 source; folds are made of at least 3',
      ],
    );
  });
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-folds-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function read(lines: readonly string[]): Promise<ReturnType<typeof readDatasetCsv>> {
  await writeFile(join(folder, 'list.csv'), lines.join('\n'));
  return readDatasetCsv(folder);
}

describe('a CSV without folds', () => {
  it('gets them by its column source', async () => {
    const lines = Array.from(
      { length: 30 },
      (_, k) => `${k}.wav,${k % 2 ? 'dog' : 'cat'},s${Math.floor(k / 6)}`,
    );
    const { rows, foldsMade, problems } = await read(['filename,category,source', ...lines]);
    expect([foldsMade, problems.shown]).toEqual([true, []]);
    for (let source = 0; source < 5; source++) {
      const own = rows.filter(({ filename }) => Math.floor(parseInt(filename, 10) / 6) === source);
      expect(new Set(own.map(({ fold }) => fold)).size).toBe(1);
    }
  });

  it('keeps folds that are there', async () => {
    const { rows, foldsMade } = await read(['filename,fold,category', 'a.wav,7,dog', 'b.wav,2,cat']);
    expect([foldsMade, rows.map(({ fold }) => fold)]).toEqual([false, [7, 2]]);
  });
});

describeWithEsc10('ESC-10 without its folds (needs ../shared/esc10)', () => {
  it('keeps the takes of ESC-10’s recordings together, 8 clips of a class in each fold or nearly', async () => {
    const { rows } = readDatasetCsv(esc10Folder);
    const lines = rows.map(({ filename, category }) => `${filename},${category}`);
    const made = await read(['filename,category', ...lines]);
    const recordings = made.rows.map(({ filename, category }) => ({
      filename,
      category,
      source: filename.split('-')[1]!,
    }));
    const folds = made.rows.map(({ fold }) => fold);
    expect(sourcesSplit(recordings, folds)).toBe(0);
    expect(new Set(recordings.map(({ source }) => source)).size).toBeLessThan(rows.length);
    for (const counts of Object.values(table(recordings, folds))) {
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
    }
  });
});
