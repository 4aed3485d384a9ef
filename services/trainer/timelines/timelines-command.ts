import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createWindowScorer } from '../../../shared/compute/inference/window-scorer';
import { loadMembers } from '../../../shared/compute/inference/load-members';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { distinctNetworks, windowFormat } from '../../../shared/contracts/members';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { EventQuality } from '../../../shared/contracts/report';
import { startMessageSchema, type EventRule } from '../../../shared/contracts/stream';
import { createDecoderPool, maxDecodeThreads } from '../../../shared/decode/pool/decoder-pool';
import { AppError } from '../../../shared/errors/app-error';
import { manifestFileName, openRegistry, type Version } from '../../../shared/registry/registry';
import { readReport, reportFileName } from '../../../shared/registry/report-file';
import { writeFileAtomically } from '../../../shared/runtime/write-atomically';
import { flagOf } from '../options/command-line';
import { loadClips, loadTrainingEngine, type CommandContext } from '../context/training-context';
import { chooseThresholds, judgeTimelines, operatingCurves, type JudgedTimeline } from './judge-timelines';
import { linesOf } from './quality-lines';
import { mixParts } from './mix-parts';
import { readTimelines } from './read-sounds';
import { scoreTimeline, type StreamSettings } from './score-timeline';
import { joinEvents, type TimelinePart, type TimelineSet } from './timeline';
import { parseTimelineOptions, type TimelineOptions } from '../options/timeline-options';

/**
 * `npm run evaluate -- [VERSION] TIMELINE…`: what a version's stream reports on labelled timelines. Its
 * figures go into the version's report; where false alarms are given, thresholds are chosen and stored in
 * its manifest instead.
 * @throws AppError not-found, invalid-checkpoint, invalid-dataset, invalid-configuration,
 *   engine-unavailable
 */
export async function timelinesCommand(args: readonly string[], context: CommandContext): Promise<void> {
  const options = parseTimelineOptions(args);
  const registry = openRegistry(context.config.modelsFolder);
  const version = await (options.version === undefined ? registry.choose() : registry.read(options.version));
  const { manifest } = version;
  const start = startMessageSchema.parse({ type: 'start', encoding: 'container' });
  const rule = start.events!;
  const settings = streamSettings(options, manifest, start);
  const task = { networks: distinctNetworks(manifest), trains: false };
  const engine = await loadTrainingEngine(manifest.frontEnds, context, task);
  const set = await openSet(options, manifest, context);
  const judged = await judgeAll(set, version, engine, { rule, settings, signal: context.signal });
  const curves = operatingCurves(judged, rule, manifest);
  const limit = options['false-alarms-per-hour'];
  const chosen =
    limit === undefined
      ? manifest
      : {
          ...manifest,
          events: {
            thresholds: chooseThresholds(curves, limit),
            falseAlarmsPerHour: limit,
          },
        };
  const fingerprint = createHash('sha256').update(JSON.stringify(set.identity())).digest('hex');
  const quality = { fingerprint, ...judgeTimelines(judged, chosen, curves, rule, settings) };
  const isUsual = options['window-seconds'] === undefined && options['hop-seconds'] === undefined;
  if (isUsual && limit === undefined) await keepQuality(version, quality);
  if (isUsual && limit !== undefined) await keepManifest(version, chosen);
  const stored = isUsual
    ? limit === undefined
      ? `Kept in ${reportFileName} of ${manifest.version}.`
      : `The thresholds are in ${manifestFileName} of ${manifest.version}; these figures are of the timelines that chose them.`
    : 'Nothing was stored: the windows are not those of a stream that says nothing of them.';
  context.output.write(
    options.json
      ? `${JSON.stringify(quality, null, 2)}\n`
      : `${linesOf(quality, [set.description, ...set.notes(), stored]).join('\n')}\n`,
  );
}

function streamSettings(
  options: TimelineOptions,
  manifest: Manifest,
  { hopSeconds, silenceDbfs }: Pick<StreamSettings, 'hopSeconds' | 'silenceDbfs'>,
): StreamSettings {
  const most = windowFormat(manifest).windowSeconds;
  const windowSeconds = options['window-seconds'] ?? most;
  const hop = options['hop-seconds'] ?? hopSeconds;
  if (windowSeconds > most || hop > windowSeconds) {
    const detail = `The window is at most ${most} s, and the hop at most the window.`;
    throw new AppError('invalid-configuration', detail);
  }
  return { windowSeconds, hopSeconds: hop, silenceDbfs };
}

async function openSet(
  options: TimelineOptions,
  manifest: Manifest,
  context: CommandContext,
): Promise<TimelineSet> {
  const { background } = options;
  if (background === undefined) return ownSet(options.timelines, manifest, context);
  const request = { data: options.data, csv: options.csv, esc10Only: options['esc10-only'] };
  const dataset = await loadClips(request, manifest.frontEnds, context);
  if (dataset.fingerprint !== manifest.data.fingerprint) {
    throw new AppError(
      'invalid-dataset',
      `These are not the recordings that ${manifest.version} was trained on, so that nobody knows which of them it heard. Name them with ${flagOf('data')}, ${flagOf('csv')} or ${flagOf('esc10Only')}.`,
    );
  }
  return mixParts(dataset, { ...options, background }, manifest, context);
}

function ownSet(
  files: readonly string[],
  manifest: Manifest,
  { config, signal }: CommandContext,
): TimelineSet {
  const identity: string[] = [];
  const others = new Set<string>();
  const parts = async function* (): AsyncGenerator<TimelinePart> {
    const decoder = createDecoderPool({ threads: maxDecodeThreads(config.engineThreads) });
    try {
      const { classes, frontEnds } = manifest;
      for (const file of files) {
        const own = await readTimelines(file, classes, { decoder, frontEnds, signal });
        identity.push(...own.sha256);
        own.others.forEach((label) => others.add(label));
        yield { timelines: own.timelines };
      }
    } finally {
      await decoder.close();
    }
  };
  return {
    parts: parts(),
    identity: () => identity,
    description: `Own timelines: ${files.join(', ')}.`,
    notes: () =>
      others.size === 0
        ? []
        : [`No classes of the version, so background: ${[...others].sort().join(', ')}.`],
  };
}

interface Judging {
  readonly rule: EventRule;
  readonly settings: StreamSettings;
  readonly signal: AbortSignal;
}

async function judgeAll(
  set: TimelineSet,
  version: Version,
  engine: LoadedEngine,
  { rule, settings, signal }: Judging,
): Promise<JudgedTimeline[]> {
  const members = await loadMembers(version);
  const pauseSeconds = settings.windowSeconds + rule.mergeGapSeconds;
  const judged: JudgedTimeline[] = [];
  for await (const { timelines, members: range = [0, members.length] } of set.parts) {
    const scorer = createWindowScorer(members.slice(...range), engine);
    try {
      for (const { samples, ...timeline } of timelines) {
        if (signal.aborted) throw new AppError('cancelled', 'The evaluation was cancelled.');
        const scored = scoreTimeline(samples, scorer, version.manifest, settings);
        judged.push({ ...timeline, scored, events: joinEvents(timeline.events, pauseSeconds) });
      }
    } finally {
      scorer.dispose();
    }
  }
  return judged;
}

async function keepQuality({ folder }: Version, events: EventQuality): Promise<void> {
  const report = await readReport(folder);
  if (report === undefined) throw new AppError('invalid-checkpoint', `${folder} has no report.`);
  await writeJson(join(folder, reportFileName), { ...report, events });
}

async function keepManifest({ folder }: Version, manifest: Manifest): Promise<void> {
  await writeJson(join(folder, manifestFileName), manifest);
}

async function writeJson(file: string, content: object): Promise<void> {
  await writeFileAtomically(file, `${JSON.stringify(content, null, 2)}\n`);
}
