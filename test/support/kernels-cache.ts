import { copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { provideTestKernels } from './test-engine';

/** A cache (XDG_CACHE_HOME) in which the kernels are, and nothing else: no libtensorflow. */
export async function cacheWithKernels(folder: string): Promise<string> {
  const addon = await provideTestKernels();
  const engineFolder = join(folder, 'earshot', 'engine');
  await mkdir(engineFolder, { recursive: true });
  await copyFile(addon, join(engineFolder, basename(addon)));
  return folder;
}
