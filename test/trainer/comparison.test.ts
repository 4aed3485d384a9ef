import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Evaluation } from '../../shared/contracts/evaluation';
import { meanInterval } from '../../shared/metrics/mean-interval';
import { percent } from '../../services/trainer/report/markup/format';
import { intervalRule } from '../../services/trainer/report/charts/interval-rule';
import { renderReportHtml } from '../../services/trainer/report/render-report-html';
import { choiceRows, foldRows } from '../../services/trainer/reproduce/choices';
import { compareFolds, type Comparison } from '../../services/trainer/reproduce/comparison';
import { conclusionRows } from '../../services/trainer/reproduce/conclusions';
import { crossValidatedRuns, singleRuns } from '../../services/trainer/reproduce/protocol';
import { renderComparisonPage } from '../../services/trainer/reproduce/render-page';
import { testedResult, type RunResult } from '../../services/trainer/reproduce/results-file';
import { describeWithChromium, startBrowser, type TestBrowser } from '../support/browser';
import { sampleReport } from '../support/sample-report';

/** A finished run that is right for this many of 80 validation clips after its last epoch. */
function resultWith(validationFold: number, correct: number, trainAccuracy = 0.99): RunResult {
  const report = sampleReport();
  const { protocol } = report.configuration;
  const { last, best } = report.evaluations;
  const judged = (evaluation: Evaluation): Evaluation => ({ ...evaluation, correct, accuracy: correct / 80 });
  return testedResult({
    ...report,
    configuration: { ...report.configuration, protocol: { ...protocol, validationFold } },
    history: report.history.map((epoch) => ({ ...epoch, trainAccuracy })),
    evaluations: {
      best: { ...best!, validation: judged(best!.validation) },
      last: { ...last, validation: judged(last.validation) },
    },
  });
}

/** Clips right of 80 by single run, then by cross-validation and fold. */
function comparisonOf(singles: readonly number[], folds: readonly (readonly number[])[]): Comparison {
  return {
    singles: singleRuns.map((run, index) => ({ ...run, result: resultWith(2, singles[index]!) })),
    crossValidations: crossValidatedRuns.map((run, index) =>
      compareFolds(
        run,
        folds[index]!.map((correct, fold) => resultWith(fold + 2, correct)),
      ),
    ),
  };
}

const comparison = comparisonOf(
  [40, 30, 44, 8, 50, 52, 54, 53, 54, 49],
  [
    [32, 36, 36, 36],
    [54, 49, 49, 54],
    [54, 49, 51, 54],
    [60, 57, 58, 62],
  ],
);
const page = renderComparisonPage(comparison);

describe('figures in per cent', () => {
  // Eighths of ten points, as 80 clips give them: halves go up, whatever the binary fraction is.
  it.each([
    [51 / 80, '63.8 %'],
    [0.6375, '63.8 %'],
    [31 / 80, '38.8 %'],
    [46 / 80, '57.5 %'],
    [61 / 80, '76.3 %'],
    [0.0625, '6.3 %'],
    [1, '100.0 %'],
  ])('shows %d as %s', (share, shown) => {
    expect(percent(share)).toBe(shown);
  });

  it('are the same in bars and tables', () => {
    const reported = singleRuns.map((run) => percent(run.reported.testAccuracy));
    const [drawing] = /<svg role="img" aria-label="Test accuracy.*?<\/svg>/s.exec(page)!;
    for (const figure of reported) expect(drawing).toContain(`>${figure}</text>`);
  });
});

describe('intervalRule', () => {
  const { last } = sampleReport().evaluations;
  const older = last.validation;
  const newer = { ...older, recordings: 61 };

  it.each([
    ['Wilson', [older, older], /^Intervals are Wilson’s/],
    ['a bootstrap', [newer, newer], /bootstrap over recordings, whose clips .* together\.$/],
    ['both', [older, newer, newer], /bootstrap .*; those of 1 older of 3 evaluations are Wilson’s/],
  ])('names %s', (_, evaluations, rule) => {
    expect(intervalRule(evaluations)).toMatch(rule);
  });
});

describe('meanInterval', () => {
  it('is Student’s', () => {
    // Deviation 0.0157288, its half width 3.182446 × 0.0157288 / √4 = 0.025028.
    const { mean, lower, upper } = meanInterval([0.075, 0.1, 0.1125, 0.1]);
    expect(mean).toBeCloseTo(0.096875, 12);
    expect(lower).toBeCloseTo(0.071847, 4);
    expect(upper).toBeCloseTo(0.121903, 4);
    expect(() => meanInterval([1])).toThrow(RangeError);
  });
});

describe('the comparison', () => {
  it('names the best hyperparameters by validation, all of them on a tie', () => {
    expect(choiceRows(comparison)).toEqual([
      ['cnn', 'lr 0.001 batch 64', '47.5 %', ...Array(2).fill(['lr 0.01 batch 32', '55.0 %'])].flat(),
      [
        ...['transformer', 'heads 4 hidden 512, heads 4 hidden 1024', '62.5 %'],
        ...Array(2).fill(['heads 2 hidden 512, heads 4 hidden 512', '67.5 %']).flat(),
      ],
    ]);
  });

  it('has the report’s figures of each fold beside ours', () => {
    const rows = foldRows(comparison.crossValidations);
    expect(rows[0]).toEqual(['cnn: report', '47.5 %', '35.0 %', '41.3 %', '37.5 %', '40.3 %']);
    expect(rows[1]).toEqual(['cnn: ours, last epoch', '40.0 %', '45.0 %', '45.0 %', '45.0 %', '43.8 %']);
  });

  it('says of each conclusion whether the interval bears it out', () => {
    const verdicts = conclusionRows(comparison).map(([claim, , measured, so]) => [claim, measured, so]);
    expect(verdicts).toEqual([
      ['Heads help: 4 against 1', '+9.7 (7.2 to 12.2)', 'holds'],
      ['Heads help: 2 against 1', '+0.6 (−1.4 to 2.6)', 'neither shown nor refuted'],
      [
        'Hidden 1024 against 512 changes little',
        expect.stringMatching(/^−1.7 \(/),
        'no difference is shown; the interval says how large one could be',
      ],
      ['Transformers beat CNNs: 4 heads against the cnn', expect.stringMatching(/^\+/), 'holds'],
      ['Learning rate 0.01 with batch 64 learns nothing', expect.any(String), 'does not hold'],
      ['The CNN overfits: training above validation', expect.stringMatching(/^\+/), 'holds'],
    ]);
  });

  it.each([
    ['the comparison', page],
    ['a version’s report', renderReportHtml(sampleReport())],
  ])('has headings in order: %s', (_, html) => {
    const levels = [...html.matchAll(/<h([1-6])>/g)].map((match) => Number(match[1]));
    expect(levels[0]).toBe(1);
    levels.slice(1).forEach((level, index) => {
      expect(level).toBeLessThanOrEqual(levels[index]! + 1);
    });
  });
});

describeWithChromium('the pages as they are drawn', () => {
  let folder: string;
  let browser: TestBrowser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-pages-'));
    await writeFile(join(folder, 'comparison.html'), page);
    await writeFile(join(folder, 'version.html'), renderReportHtml(sampleReport()));
    browser = await startBrowser(join(folder, 'no-microphone.wav'), []);
  }, 60_000);

  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(['comparison', 'version'])(
    'cuts nothing off at 1080 px: %s',
    async (name) => {
      const opened = await browser.open({ width: 1080 });
      const shown = opened.page;
      await shown.goto(`file://${join(folder, `${name}.html`)}`);
      const cut = await shown.evaluate(`(() => {
      for (const details of document.querySelectorAll('details')) details.open = true;
      const wide = [...document.querySelectorAll('.scroll, body')].filter((e) => e.scrollWidth > e.clientWidth + 1);
      const names = [...document.querySelectorAll('th')].filter((e) => e.scrollWidth > e.clientWidth + 1);
      const labels = [...document.querySelectorAll('svg text')].filter((text) => {
        const [own, drawing] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
        return own.left < drawing.left - 1 || own.right > drawing.right + 1 ||
          own.top < drawing.top - 1 || own.bottom > drawing.bottom + 1;
      });
      return [...wide, ...names, ...labels].map((e) => e.tagName + ' ' + e.textContent.slice(0, 60));
    })()`);
      expect(cut).toEqual([]);
      await opened.close();
    },
    60_000,
  );

  it('shows whiskers over their bars, from end to end', async () => {
    const opened = await browser.open({ width: 1080 });
    const shown = opened.page;
    await shown.goto(`file://${join(folder, 'comparison.html')}`);
    // What lies on top in the middle of each whisker's lower half.
    const tops = await shown.evaluate(`(() => {
      const drawing = document.querySelector('svg[aria-label^="Test accuracy"]');
      const lines = [...drawing.querySelectorAll('path[stroke="var(--ink)"]')];
      return lines.map((line) => {
        const box = line.getBoundingClientRect();
        scrollTo(0, scrollY + box.top - 300);
        const moved = line.getBoundingClientRect();
        const at = document.elementsFromPoint(moved.left + moved.width / 4 + 0.5, moved.top + moved.height / 2);
        const order = [...drawing.querySelectorAll('path')];
        const bars = order.filter((path) => path.getAttribute('fill')?.startsWith('var(--first)'));
        return at.length > 0 && bars.every((bar) => order.indexOf(bar) < order.indexOf(line));
      });
    })()`);
    expect(tops).toHaveLength(30);
    expect(tops).not.toContain(false);
    await opened.close();
  }, 60_000);
});
