import type { NetworkConfig } from '../shared/contracts/architecture';
import type { EngineChoice } from '../shared/compute/provide/choose-engine';
import { findEncoderFor } from '../shared/compute/provide/provide-encoder';
import { encoderCacheFolder } from '../shared/environment';

/**
 * Adds the pretrained encoder's file to the engine, if the front end needs it and the file is on this
 * machine. Reads `ENCODER` as the service does.
 */
export async function withEncoderFile(choice: EngineChoice, network: NetworkConfig): Promise<EngineChoice> {
  const wish = process.env['ENCODER'] ?? 'auto';
  const encoderFile = await findEncoderFor([network], wish, encoderCacheFolder());
  return encoderFile === undefined ? choice : { ...choice, encoderFile };
}
