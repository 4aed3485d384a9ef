import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EncoderFrontEnd } from '../../contracts/front-end';
import { encoderMissing } from './encoder-errors';
import { encoderNetworks } from '../network/encoder-networks';
import { encoderWeights } from '../network/encoder-weights';
import { readTorchFile } from '../../encoder/torch-file';
import { encodersFolder } from '../../registry/registry';
import { readSafetensors, type SafetensorsContent } from '../../registry/safetensors';
import { ownModelsFolder } from '../../environment';
import { AppError } from '../../errors/app-error';
import { ifAbsent } from '../../errors/machine-fault';
import type { WeightArrays } from '../network/network';

/** Where a small encoder is kept: the name says what is in it. */
export function smallEncoderFile(modelsFolder: string, sha256: string): string {
  return join(modelsFolder, encodersFolder, `small-${sha256.slice(0, 16)}.safetensors`);
}

/**
 * Where a small encoder is on this machine: beside the versions, or else among this package's own.
 * @returns undefined where it is in neither
 */
export async function findSmallEncoder(sha256: string, modelsFolder: string): Promise<string | undefined> {
  for (const folder of [modelsFolder, ownModelsFolder]) {
    const file = smallEncoderFile(folder, sha256);
    if ((await stat(file).catch(ifAbsent(undefined))) !== undefined) return file;
  }
  return undefined;
}

/**
 * The weights of the encoder that a front end names, as its network takes them. The large one is fetched
 * to each machine; small ones are kept beside the versions, or are this package's own.
 * @param large the large encoder's file; undefined: it is not here
 * @throws AppError engine-unavailable where it is not here, or is another one; invalid-checkpoint where
 *   it is damaged
 */
export async function loadEncoderWeights(
  frontEnd: EncoderFrontEnd,
  { large, modelsFolder }: { readonly large?: string | undefined; readonly modelsFolder: string },
): Promise<WeightArrays> {
  const { name, sha256 } = frontEnd.encoder;
  const file = name === 'small' ? await findSmallEncoder(sha256, modelsFolder) : large;
  const bytes = file === undefined ? undefined : await readFile(file).catch(ifAbsent(undefined));
  if (bytes === undefined) {
    if (name === 'mn04_as') throw encoderMissing(frontEnd);
    const missing = smallEncoderFile(modelsFolder, sha256);
    throw new AppError('engine-unavailable', `The small encoder ${missing} is not here: copy it there.`);
  }
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new AppError(
      'engine-unavailable',
      `${file} is not the encoder ${name} that the version was made for.`,
    );
  }
  return name === 'small'
    ? smallEncoderWeights(readSafetensors(bytes))
    : encoderWeights(readTorchFile(bytes));
}

/** The parameters out of a small encoder's file. @throws AppError invalid-checkpoint */
export function smallEncoderWeights({ tensors }: Pick<SafetensorsContent, 'tensors'>): WeightArrays {
  return Object.fromEntries(
    encoderNetworks.small.parameters.map(({ name, shape }) => {
      const tensor = tensors.get(name);
      if (tensor?.shape.join() === shape.join()) return [name, tensor.values];
      const got = tensor === undefined ? 'nothing' : tensor.shape.join(' × ');
      const message = `The small encoder's file holds ${got} for ${name}, not ${shape.join(' × ')}.`;
      throw new AppError('invalid-checkpoint', message);
    }),
  );
}
