import type { NetworkConfig } from '../shared/contracts/architecture';
import type { EngineChoice } from '../shared/compute/provide/choose-engine';
import { findEncoderFor } from '../shared/compute/provide/provide-encoder';
import { encoderCacheFolder } from '../shared/environment';

/** The engine with the pretrained encoder's file, where the network hears with it and it is on this machine; `ENCODER` as the service has it. */
export async function withEncoderFile(choice: EngineChoice, network: NetworkConfig): Promise<EngineChoice> {
  const wish = process.env['ENCODER'] ?? 'auto';
  const encoderFile = await findEncoderFor([network], wish, encoderCacheFolder());
  return encoderFile === undefined ? choice : { ...choice, encoderFile };
}
