import { chooseEngine } from '../../../shared/compute/provide/choose-engine';
import { findEncoderFor } from '../../../shared/compute/provide/provide-encoder';
import { AppError } from '../../../shared/errors/app-error';
import { promoteVersion, type ChooseFor } from '../../../shared/promotion/promote-version';
import type { CommandContext } from '../context/training-context';

/**
 * Puts a version through the gate; what came of it, in a sentence. A refusal, or a pinned version, is no
 * failure of the job.
 */
export async function promoteResult(
  version: string,
  job: string,
  { config, signal }: CommandContext,
): Promise<string> {
  const engine: ChooseFor = async (networks) => {
    const choice = await chooseEngine({
      wish: config.engine,
      task: { networks, trains: false },
      kernels: config.engineKernels,
      threads: config.engineThreads,
      signal,
      onProgress: () => undefined,
      onFallback: () => undefined,
    });
    const encoderFile = await findEncoderFor(networks, config.encoder, config.encoderCacheFolder);
    return encoderFile === undefined ? choice : { ...choice, encoderFile };
  };
  for (let attempt = 1; ; attempt++) {
    try {
      const { modelsFolder, modelLoadMs: limitMs } = config;
      const options = { modelsFolder, version, engine, limitMs, by: `job ${job}` };
      const { promoted, decision } = await promoteVersion(options);
      if (promoted) return `${version} passed the gate and serves.`;
      const reasons = decision.checks
        .filter(({ outcome, waived }) => outcome === 'failed' && !waived)
        .map(({ message }) => message);
      return `${version} was not promoted: ${reasons.join(' ')}`;
    } catch (caught) {
      const error = AppError.from(caught);
      if (error.code !== 'conflict' && error.code !== 'engine-unavailable') throw error;
      // Another change may have come first; pinned, or serving already, it says so again.
      if (attempt === 3 || error.code !== 'conflict') return `${version} was not promoted: ${error.message}`;
    }
  }
}
