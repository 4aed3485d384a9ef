import { melFilters } from '../../front-end/mel-filters';
import { windowSamples, type LogMelFrontEnd } from '../../contracts/front-end';
import { melSize } from '../network/mel';
import type { Member } from '../network/members';
import { loadKernels, type EnsembleOptions, type KernelsChoice } from './kernels-addon';

/** The front end's figures and filters as the addon takes them. */
export function addonFrontEnd(
  frontEnd: LogMelFrontEnd,
): Omit<EnsembleOptions, 'instructionSet' | 'threads' | 'classes' | 'members' | 'width' | 'head'> {
  const { fftSamples, hopSamples, cropFrames, crops, rangeDecibels, silenceDecibels } = frontEnd;
  const filters = melFilters(frontEnd);
  return {
    fftSamples,
    hopSamples,
    cropFrames,
    crops,
    rangeDecibels,
    silenceDecibels,
    windowSamples: windowSamples(frontEnd),
    filterFirst: Int32Array.from(filters, ({ first }) => first),
    filterCounts: Int32Array.from(filters, ({ weights }) => weights.length),
    filterWeights: Float64Array.from(filters.flatMap(({ weights }) => [...weights])),
  };
}

/**
 * Networks with the log-mel front end that they share, computed on the kernels' own threads while the
 * caller waits.
 */
export interface NativeEnsemble {
  /** For each window the logits of each of its inputs by each member. */
  logits(windows: readonly Float32Array[]): Float32Array[][];
  dispose(): void;
}

/**
 * @param members of one front end, at least one
 * @returns undefined where the kernels do not compute them with it, or the members' networks differ
 */
export function createNativeEnsemble(
  { path, instructionSet, threads, computes }: KernelsChoice,
  members: readonly Member[],
): NativeEnsemble | undefined {
  if (computes !== 'networks') return undefined;
  const { frontEnd, network } = members[0]!;
  const { config, parameters, outputs } = network;
  if (config.architecture !== 'mel' && config.architecture !== 'mel-small') return undefined;
  if (frontEnd.kind !== 'log-mel' || members.some((member) => member.network !== network)) return undefined;
  const ensemble = loadKernels(path).createMelEnsemble({
    instructionSet,
    threads,
    classes: outputs,
    members: members.length,
    ...melSize(config),
    ...addonFrontEnd(frontEnd),
  });
  members.forEach(({ values }, member) => {
    ensemble.setWeights(
      member,
      parameters.map(({ name }) => values[name]!),
    );
  });
  return {
    logits: (windows) => {
      const { logits, counts } = ensemble.logits(windows);
      const crops = logits.length / outputs / members.length;
      return byWindow(counts, (crop) =>
        members.map((_, member) => {
          const row = member * crops + crop;
          return logits.subarray(row * outputs, (row + 1) * outputs);
        }),
      );
    },
    dispose: () => {
      ensemble.dispose();
    },
  };
}

/** What each window's crops give; `counts` says how many each window has. */
function byWindow<T>(counts: Int32Array, ofCrop: (crop: number) => T[]): T[][] {
  let next = 0;
  return Array.from(counts, (count) => {
    const start = next;
    next += count;
    return Array.from({ length: count }, (_, crop) => ofCrop(start + crop)).flat();
  });
}
