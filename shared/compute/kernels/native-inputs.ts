import { loadKernels, type KernelsChoice } from './kernels-addon';

type Addon = Pick<KernelsChoice, 'path' | 'instructionSet' | 'threads'>;

/** A front end on the native kernels, whose threads share the windows of a call. */
interface NativeInputs<T> {
  readonly of: (windows: readonly Float32Array[]) => T;
  dispose(): void;
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
