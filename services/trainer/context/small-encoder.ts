import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { smallEncoderFile, smallEncoderWeights } from '../../../shared/compute/provide/encoder-file';
import { smallFrontEnd } from '../../../shared/contracts/front-end';
import type { FrontEnds } from '../../../shared/contracts/members';
import type { TrainingRequest } from '../../../shared/contracts/training-request';
import { ownModelsFolder } from '../../../shared/environment';
import { AppError } from '../../../shared/errors/app-error';
import { ifAbsent } from '../../../shared/errors/machine-fault';
import { readSafetensors } from '../../../shared/registry/safetensors';
import { writeFileAtomically } from '../../../shared/runtime/write-atomically';
import { sha256 } from '../data/checked-file';
import type { Dataset } from '../data/dataset';

/** A small encoder, and what its file says of its making. */
export interface SmallEncoder {
  readonly sha256: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The small encoder that a training is to hear with, put beside the versions where it is not there yet;
 * undefined where its architecture takes none.
 * @throws AppError invalid-configuration where its file cannot be read, or where the architecture takes
 *   none and one is named; invalid-checkpoint
 */
export async function smallEncoderOf(
  { architecture, encoder: file }: Pick<TrainingRequest, 'architecture' | 'encoder'>,
  modelsFolder: string,
): Promise<SmallEncoder | undefined> {
  if (architecture !== 'small') {
    if (file === undefined) return undefined;
    throw new AppError('invalid-configuration', `${architecture} takes no small encoder: leave ${file} out.`);
  }
  const path = file ?? smallEncoderFile(ownModelsFolder, smallFrontEnd.encoder.sha256);
  const bytes = await readFile(path).catch((cause: unknown) => {
    const message = `The small encoder ${path} cannot be read: ${(cause as Error).message}.`;
    throw new AppError('invalid-configuration', message, { cause });
  });
  // A file that is no small encoder is not kept.
  const content = readSafetensors(bytes);
  smallEncoderWeights(content);
  const encoder = { sha256: sha256(bytes).toString('hex'), metadata: content.metadata };
  const kept = smallEncoderFile(modelsFolder, encoder.sha256);
  if ((await stat(kept).catch(ifAbsent(undefined))) === undefined) {
    await mkdir(dirname(kept), { recursive: true });
    await writeFileAtomically(kept, bytes);
  }
  return encoder;
}

export function withSmallEncoder([frontEnd]: FrontEnds, sha: string): FrontEnds {
  return frontEnd.kind === 'encoder'
    ? [{ ...frontEnd, encoder: { name: 'small', sha256: sha } }]
    : [frontEnd];
}

/** The folds that judge a training and whose clips the encoder has heard, for a sentence. */
export function heardFolds(
  { metadata }: SmallEncoder,
  { fingerprint, clips }: Pick<Dataset, 'fingerprint' | 'clips'>,
  { testFold, validationFold, crossValidate }: TrainingRequest['protocol'],
): string[] {
  if (metadata['data'] !== fingerprint) return [];
  const heard = new Set((metadata['folds'] ?? '').split(',').map(Number));
  const folds = [...new Set(clips.map(({ fold }) => fold))].sort((a, b) => a - b);
  const judges = folds.filter((fold) => crossValidate || fold === testFold || fold === validationFold);
  return judges.filter((fold) => heard.has(fold)).map((fold) => `fold ${fold}`);
}
