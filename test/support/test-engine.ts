import { buildKernels } from '../../shared/compute/provide/build-kernels';
import { chooseEngine, type EngineChoice } from '../../shared/compute/provide/choose-engine';
import { engineCacheFolder, type EngineWish, type KernelsWish } from '../../shared/environment';
import { loadEngine, type LoadedEngine } from '../../shared/compute/provide/load-engine';

/** The engine of the tests: libtensorflow on the CPU unless a test wants another. */
export async function chooseTestEngine(
  wish: EngineWish = 'cpu',
  kernels: KernelsWish = 'auto',
): Promise<EngineChoice> {
  return chooseEngine({
    wish,
    kernels,
    onProgress: (line) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${line}\u001b[K`);
    },
    onFallback: (reason) => {
      throw new Error(reason);
    },
  });
}

export async function loadTestEngine(wish: EngineWish = 'cpu'): Promise<LoadedEngine> {
  return loadEngine(await chooseTestEngine(wish));
}

/** The addon's path; it is built unless the cache has it. */
export async function provideTestKernels(): Promise<string> {
  return buildKernels({ cacheFolder: engineCacheFolder(), onProgress: () => undefined });
}
