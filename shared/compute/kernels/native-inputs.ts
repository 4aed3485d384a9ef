import type { LogMelFrontEnd } from '../../contracts/front-end';
import { loadKernels, type KernelsChoice } from './kernels-addon';
import { addonFrontEnd } from './native-ensemble';

type Addon = Pick<KernelsChoice, 'path' | 'instructionSet' | 'threads'>;

/** The mel bins that the kernels are compiled for. */
const kernelMelBins = 64;
/** The addon's object holds networks too; inputs need none, so that it is given the smallest. */
const unusedNetwork = { members: 1, classes: 1, width: 12, head: 64 };

/** A front end on the native kernels, whose threads share the windows of a call. */
export interface NativeInputs<T> {
  readonly of: (windows: readonly Float32Array[]) => T;
  dispose(): void;
}

/**
 * The crops of log-mel spectrograms, one after the other, and how many each window has; undefined where
 * the kernels do not compute the view.
 */
export function createNativeCrops(
  { path, instructionSet, threads }: Addon,
  view: LogMelFrontEnd,
): NativeInputs<{ readonly features: Float32Array; readonly counts: readonly number[] }> | undefined {
  if (view.melBins !== kernelMelBins) return undefined;
  const options = { instructionSet, threads, ...unusedNetwork, ...addonFrontEnd(view) };
  const ensemble = loadKernels(path).createMelEnsemble(options);
  return {
    of: (windows) => {
      const { crops, counts } = ensemble.crops(windows);
      return { features: crops, counts: [...counts] };
    },
    dispose: () => {
      ensemble.dispose();
    },
  };
}

/** The pretrained encoder's inputs: what `kaldiMel` gives of each window, one after the other. */
export function createNativePictures({ path, instructionSet, threads }: Addon): NativeInputs<Float32Array> {
  const encoder = loadKernels(path).createAudioEncoder({ instructionSet, threads, network: 'mobile-net' });
  return {
    of: (windows) => encoder.pictures(windows),
    dispose: () => {
      encoder.dispose();
    },
  };
}
