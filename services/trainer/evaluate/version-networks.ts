import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer, type Scorer } from '../../../shared/compute/inference/scorer';
import { createNetwork } from '../../../shared/compute/network/create-network';
import { ensembleParameters, splitMembers } from '../../../shared/compute/network/ensemble';
import type { Version } from '../../../shared/registry/registry';
import { decodeWeights, weightsFileNames } from '../../../shared/registry/weights-file';

/**
 * The networks of a published version, with the weights that are served, in the version's order.
 * @returns scorers, which the caller disposes
 */
export async function loadNetworks({ folder, manifest }: Version, engine: LoadedEngine): Promise<Scorer[]> {
  const network = createNetwork(manifest.network, manifest.classes.length);
  const { members = 1 } = manifest;
  const [layout, bytes] = await Promise.all([
    readFile(join(folder, weightsFileNames.manifest), 'utf8'),
    readFile(join(folder, weightsFileNames.bytes)),
  ]);
  const stored = { parameters: ensembleParameters(network, members) };
  const values = decodeWeights(stored, JSON.parse(layout) as io.WeightsManifestConfig, bytes);
  return splitMembers(network, values, members).map((own) => createScorer(network, own, engine));
}
