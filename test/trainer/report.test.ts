import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { reportFrontEnd } from '../../shared/contracts/front-end';
import { reportSchema, type Report } from '../../shared/contracts/report';
import { renderReportHtml } from '../../services/trainer/report/render-report-html';
import { sampleReport } from '../support/sample-report';

const report = sampleReport();
const page = renderReportHtml(report);
const withoutCrossValidation = sampleReport();
delete withoutCrossValidation.crossValidation;

/** Text of the page as a reader sees it: without style, drawings' paths and tags. */
function textOf(html: string): string {
  return html
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');
}

function drawingsOf(html: string, label: RegExp): string[] {
  const drawings = html.match(/<svg role="img".*?<\/svg>/gs) ?? [];
  return drawings.filter((svg) => label.test(/aria-label="([^"]*)"/.exec(svg)![1]!));
}

describe('report.json', () => {
  it('holds a whole report and survives the way through JSON', () => {
    expect(reportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
    expect(reportSchema.safeParse(withoutCrossValidation).success).toBe(true);
  });

  it.each<[string, (copy: Record<string, unknown>) => void]>([
    ['a missing epoch choice', (copy) => delete (copy['evaluations'] as Record<string, unknown>)['last']],
    ['an unknown section', (copy) => (copy['surprise'] = 1)],
    ['no history', (copy) => (copy['history'] = [])],
  ])('is refused with %s', (_, spoil) => {
    const copy = structuredClone(report) as unknown as Record<string, unknown>;
    spoil(copy);
    expect(reportSchema.safeParse(copy).success).toBe(false);
  });
});

describe('renderReportHtml', () => {
  const text = textOf(page);

  it('says whose figures they are, with count, interval and epoch', () => {
    const { best, last } = report.evaluations;
    const { accuracy, accuracyInterval, correct, macro } = best!.test!;
    const interval = `${(accuracyInterval.lower * 100).toFixed(1)}–${(accuracyInterval.upper * 100).toFixed(1)} %`;
    expect(text).toContain(
      `Test accuracy ${(accuracy * 100).toFixed(1)} % ${correct} of 80 clips; 95 %: ${interval}`,
    );
    expect(text).toContain(
      `test, best (37) ${(accuracy * 100).toFixed(1)} % ${interval} ${macro.f1.toFixed(3)}`,
    );
    expect(text).toContain(`test, last (100) ${(last.test!.accuracy * 100).toFixed(1)} %`);
    expect(text).toContain('Trained on fold 3, 4, 5, validated on fold 2, tested on fold 1.');
  });

  it('names what each of several front ends has, and of how many networks a version is', () => {
    const { configuration } = report;
    const [{ network }] = configuration.members;
    const several = textOf(
      renderReportHtml({
        ...report,
        configuration: {
          ...configuration,
          frontEnds: [reportFrontEnd, { ...reportFrontEnd, frameSeconds: 0.5, hopSeconds: 0.25 }],
          members: [
            { frontEnd: 0, network },
            { frontEnd: 1, network },
          ],
        },
      }),
    );
    expect(several).toContain('2 networks together, validated on fold 2');
    expect(several).toContain('front end 1: frame seconds 1');
    expect(several).toContain('front end 2: frame seconds 0.5 front end 2: hop seconds 0.25');
    expect(several).not.toContain('[object');
  });

  it('has a row of figures a class, for both epochs and folds', () => {
    for (const { test, validation } of [report.evaluations.best!, report.evaluations.last]) {
      for (const scores of [...test!.perClass, ...validation.perClass]) {
        const { precision, recall, f1, auc } = scores;
        const figures = [precision, recall, f1, auc!].map((value) => value.toFixed(3)).join(' ');
        expect(text).toContain(`${scores.class} 8 ${figures}`);
      }
    }
  });

  it('has the parameter table, the cross-validation and the configuration', () => {
    expect(text).toContain('linear 36000→128 [32, 128] 4,608,128 147,460,096');
    expect(text).toContain('trainable 4,621,978 7,470,000,000');
    // 47.5, 35, 41.25 and 37.5 %: mean 40.3, sample standard deviation 5.4.
    expect(text).toContain('mean ± deviation 40.3 ± 5.4 %');
    expect(text).toContain('2 3, 4, 5 30 47.5 %');
    for (const fact of [
      'learning rate 0.001',
      'batch size 64',
      'seed 7',
      'code 0.1.0 (1234567)',
      'ab'.repeat(32),
    ]) {
      expect(text).toContain(fact);
    }
    expect(renderReportHtml(withoutCrossValidation)).not.toContain('Cross-validation');
  });

  it('draws each ROC curve through its points', () => {
    const drawings = drawingsOf(page, /^ROC curves of /);
    expect(drawings).toHaveLength(20);
    report.evaluations.best!.test!.perClass.forEach((scores, index) => {
      const path = /<path d="([^"]*)"[^>]*stroke="var\(--first\)"/.exec(drawings[index]!)![1]!;
      const drawn = [...path.matchAll(/(-?[\d.]+) (-?[\d.]+)/g)].map((pair) => [
        Number(pair[1]),
        Number(pair[2]),
      ]);
      const [left, bottom] = drawn[0]!;
      const [right, top] = drawn.at(-1)!;
      expect(right).toBeGreaterThan(left! + 100);
      expect(drawn).toHaveLength(scores.roc.length);
      scores.roc.forEach((point, i) => {
        expect(drawn[i]![0]).toBeCloseTo(left! + point.falsePositiveRate * (right! - left!), 0);
        expect(drawn[i]![1]).toBeCloseTo(bottom! + point.truePositiveRate * (top! - bottom!), 0);
      });
    });
  });

  it('draws every count of the confusion matrices in its place', () => {
    const [drawing] = drawingsOf(page, /^Best epoch: 37, Test fold/);
    const texts = [...drawing!.matchAll(/<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>(\d+)<\/text>/g)];
    const placed = texts.map((match) => match.slice(1).map(Number) as [number, number, number]);
    const xs = [...new Set(placed.map(([x]) => x))].sort((a, b) => a - b);
    const ys = [...new Set(placed.map(([, y]) => y))].sort((a, b) => a - b);
    expect([xs.length, ys.length]).toEqual([10, 10]);
    const counts = ys.map((y) => xs.map((x) => placed.find((p) => p[0] === x && p[1] === y)?.[2] ?? 0));
    expect(counts).toEqual(report.evaluations.best!.test!.confusion);
  });

  it('draws the curves of loss and accuracy', () => {
    for (const label of [/^Loss of training/, /^Accuracy of training/]) {
      const [drawing] = drawingsOf(page, label);
      for (const color of ['first', 'second']) {
        const path = new RegExp(`<path d="([^"]*)"[^>]*stroke="var\\(--${color}\\)"`).exec(drawing!)![1]!;
        expect(path.match(/[\d.]+ [\d.]+/g)!.length).toBeGreaterThan(90);
      }
    }
    const single: Report = { ...report, history: report.history.slice(0, 1) };
    expect(
      drawingsOf(renderReportHtml(single), /^Loss of training and validation over 1 epochs$/),
    ).toHaveLength(1);
  });

  it('asks no other host for anything and runs no script', () => {
    const references = page.match(/(?:https?:)?\/\/[\w.-]+/g) ?? [];
    // The SVG name spaces are names, not addresses.
    expect(new Set(references)).toEqual(new Set(['http://www.w3.org']));
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\bsrc=|\bhref=|@import|url\((?!#)|\son\w+=/);
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  });

  it('gives every colour it uses to the light and the dark scheme', () => {
    const [light, dark] = [...page.matchAll(/:root \{(.*?)\}/gs)].map((rule) => rule[1]!);
    const used = new Set([...page.matchAll(/var\(--(\w+)\)/g)].map((match) => match[1]!));
    expect(used.size).toBeGreaterThan(5);
    for (const name of [...used].filter((name) => name !== 'natural')) {
      expect(light).toContain(`--${name}:`);
      expect(dark).toContain(`--${name}:`);
    }
    // No other colour but transparency stands in the drawings.
    for (const svg of drawingsOf(page, /./)) {
      const colors = [...svg.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map((match) => match[1]!);
      const fixed = colors.filter((color) => color !== 'none' && !color.startsWith('var('));
      expect(new Set(fixed.filter((color) => !['#000', 'rgb(0,0,0)'].includes(color)))).toEqual(new Set());
    }
  });

  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    '</style></title><b>bold</b>',
    '{a|rich} & {b}',
  ])('shows the class name %s as text', (name) => {
    const hostile = sampleReport([name, 'rain', 'dog']);
    const html = renderReportHtml({
      ...hostile,
      configuration: { ...hostile.configuration, engine: name },
    });
    const tags = (markup: string): string[] =>
      (markup.match(/<\/?[a-z]+/gi) ?? []).map((tag) => tag.toLowerCase());
    // The same elements as with a harmless name, no more and no fewer.
    expect(tags(html)).toEqual(tags(renderReportHtml(sampleReport(['cat', 'rain', 'dog']))));
    const escaped = name
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;');
    expect(html).toContain(`<dd>${escaped}</dd>`);
    expect(html).toContain(`<th scope="row">${escaped}</th>`);
  });

  it('lets the process end, for a drawing library keeps timers', async () => {
    const program = `
      const { renderReportHtml } = require('../../services/trainer/report/render-report-html.js');
      const { sampleReport } = require('../support/sample-report.js');
      process.stdout.write(String(renderReportHtml(sampleReport()).length));`;
    const ended = await promisify(execFile)(process.execPath, ['-e', program], {
      cwd: __dirname,
      timeout: 30_000,
    });
    expect(Number(ended.stdout)).toBeGreaterThan(100_000);
  });
});
