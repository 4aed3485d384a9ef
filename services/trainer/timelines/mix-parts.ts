import { createDecoderPool, maxDecodeThreads } from '../../../shared/decode/pool/decoder-pool';
import { windowFormat } from '../../../shared/contracts/members';
import type { Manifest } from '../../../shared/contracts/manifest';
import { deriveSeed } from '../../../shared/runtime/random';
import type { CommandContext } from '../context/training-context';
import type { Dataset, LabelledClip } from '../data/dataset';
import { foldedBySource } from '../data/folds';
import { mixTimeline } from './mix-timeline';
import { readBackground, type BackgroundFilter } from './read-sounds';
import type { TimelineOptions } from '../options/timeline-options';
import type { TimelinePart, TimelineSet } from './timeline';

/** Clips that the same members of a version judge, which were not trained on them. */
interface ClipPart {
  readonly fold: number;
  readonly clips: readonly LabelledClip[];
  readonly members?: readonly [first: number, end: number];
}

/**
 * Makes the mixes that a version is judged on: of the test fold's clips, judged by all members, as
 * served; where thresholds are to be chosen, or no test fold was kept, of the clips that validate, each
 * fold's judged by the members that were not trained on it.
 */
export async function mixParts(
  dataset: Dataset,
  options: TimelineOptions & { readonly background: string },
  manifest: Manifest,
  { config, signal }: CommandContext,
): Promise<TimelineSet> {
  const { frontEnds, protocol } = manifest;
  const isTest = protocol.testFold !== null && options['false-alarms-per-hour'] === undefined;
  const parts = isTest ? testPart(dataset, protocol.testFold!) : validationParts(dataset, manifest);
  const decoder = createDecoderPool({ threads: maxDecodeThreads(config.engineThreads) });
  const filter = filterOf(options['background-where']);
  const background = await readBackground(options.background, filter, { decoder, frontEnds, signal }).finally(
    () => decoder.close(),
  );
  const [lowest, highest] = options['signal-to-background'].split(':').map(Number) as [number, number];
  const { hours, events, seed } = options;
  const make = async function* (): AsyncGenerator<TimelinePart> {
    for (const { fold, clips, ...judges } of parts) {
      const timeline = mixTimeline(clips, background, {
        name: `fold ${fold}`,
        sampleRate: windowFormat({ frontEnds }).sampleRate,
        seconds: hours * 3600,
        events,
        signalToBackground: [Math.min(lowest, highest), Math.max(lowest, highest)],
        seed: deriveSeed(seed, 'fold', fold),
      });
      yield { timelines: [timeline], ...judges };
      await Promise.resolve();
    }
  };
  const identity = [
    { hours, events, seed, lowest, highest, folds: parts.map(({ fold }) => fold) },
    dataset.fingerprint,
    background.map(({ name, samples }) => [
      name,
      (samples.length / windowFormat({ frontEnds }).sampleRate).toFixed(1),
    ]),
  ].map((part) => JSON.stringify(part));
  return {
    parts: make(),
    identity: () => identity,
    description:
      `Mixes of ${isTest ? 'the test fold' : `the validating folds ${parts.map(({ fold }) => fold).join(', ')}`} ` +
      `into ${background.length} recordings of ${options.background}: ${parts.length} × ${hours} h with ${events} sounds each, ` +
      `${lowest} to ${highest} dB over the background, seed ${seed}.`,
    notes: () => [],
  };
}

function testPart(dataset: Dataset, testFold: number): ClipPart[] {
  return [{ fold: testFold, clips: dataset.clips.filter(({ fold }) => fold === testFold) }];
}

function validationParts(dataset: Dataset, { protocol, members }: Manifest): ClipPart[] {
  const { validationFold, testFold, trainFolds, leaveOneSourceOut } = protocol;
  const { clips } = leaveOneSourceOut ? foldedBySource(dataset, testFold) : dataset;
  const of = (fold: number): readonly LabelledClip[] => clips.filter((clip) => clip.fold === fold);
  if (validationFold !== null) return [{ fold: validationFold, clips: of(validationFold) }];
  const perFold = members.length / trainFolds.length;
  return trainFolds.map((fold, index) => ({
    fold,
    clips: of(fold),
    members: [index * perFold, (index + 1) * perFold],
  }));
}

function filterOf(text: string | undefined): BackgroundFilter {
  const pairs = text?.split(',').map((pair): [string, string] => {
    const [column = '', ...value] = pair.split('=');
    return [column.trim(), value.join('=').trim()];
  });
  return new Map(pairs);
}
