import type { NetworkConfig } from '../shared/contracts/architecture';
import type { EngineChoice } from '../shared/compute/provide/choose-engine';
import { findEncoderFor } from '../shared/compute/provide/provide-encoder';
import { encoderCacheFolder } from '../shared/environment';

/**
 * Adds the pretrained encoder's file to the engine, if a network needs it and the file is on this
 * machine. Reads `ENCODER` as the service does.
 */
export async function withEncoderFile(
  choice: EngineChoice,
  ...networks: readonly NetworkConfig[]
): Promise<EngineChoice> {
  const wish = process.env['ENCODER'] ?? 'auto';
  const encoderFile = await findEncoderFor(networks, wish, encoderCacheFolder());
  return encoderFile === undefined ? choice : { ...choice, encoderFile };
}
