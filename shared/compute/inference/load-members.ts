import type { io } from '@tensorflow/tfjs-core';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Version } from '../../registry/registry';
import { decodeWeights, weightsFileNames } from '../../registry/weights-file';
import { memberForms, splitWeights, storedParameters, type Member } from '../network/members';

/**
 * The members of a version with the weights that are served, in its order.
 * @throws AppError invalid-checkpoint where the weights are not those of its networks
 */
export async function loadMembers({ folder, manifest }: Version): Promise<Member[]> {
  const forms = memberForms(manifest, manifest.classes.length);
  const networks = forms.map(({ network }) => network);
  const [layout, bytes] = await Promise.all([
    readFile(join(folder, weightsFileNames.manifest), 'utf8'),
    readFile(join(folder, weightsFileNames.bytes)),
  ]);
  const stored = { parameters: storedParameters(networks) };
  const values = decodeWeights(stored, JSON.parse(layout) as io.WeightsManifestConfig, bytes);
  const weights = splitWeights(networks, values);
  return forms.map((form, index) => ({ ...form, values: weights[index]! }));
}
