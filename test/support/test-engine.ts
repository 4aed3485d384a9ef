import { chooseEngine, type EngineChoice, type EngineWish } from '../../shared/engine/choose-engine';
import { loadEngine, type LoadedEngine } from '../../shared/engine/load-engine';

/** The engine of the tests: libtensorflow on the CPU unless a test wants another. */
export async function chooseTestEngine(wish: EngineWish = 'cpu'): Promise<EngineChoice> {
  return chooseEngine({
    wish,
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
