import { manifestSchema } from '../../shared/contracts/manifest';
import { createNetwork } from '../../shared/network/create-network';
import { parameterCount } from '../../shared/network/network';
import { initialWeights } from '../../shared/network/initial-weights';
import { openRegistry } from '../../shared/registry/registry';
import { encodeWeights, weightsFileNames } from '../../shared/registry/weights-file';
import { manifest } from './fake-inference';

/** Publishes an untrained network of the real shape: it knows nothing, and answers each sound with numbers of its own. */
export async function publishRandomModel(folder: string, version: string): Promise<void> {
  const network = createNetwork(manifest.network, manifest.classes.length);
  const weights = encodeWeights(network, initialWeights(network, 7), 'float16');
  await openRegistry(folder).publish(
    manifestSchema.parse({
      ...manifest,
      version,
      parameters: parameterCount(network),
      weights: {
        ...manifest.weights,
        dtype: 'float16',
        bytes: weights.bytes.byteLength,
        sha256: weights.sha256,
      },
    }),
    {
      [weightsFileNames.manifest]: JSON.stringify(weights.manifest),
      [weightsFileNames.bytes]: weights.bytes,
    },
  );
}
