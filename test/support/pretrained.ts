import { existsSync } from 'node:fs';
import path from 'node:path';

/** The published encoder and what it computes, beside the project; not part of it. */
export const pretrainedFolder = path.resolve('../shared/pretrained');
export const publishedEncoderFile = path.join(pretrainedFolder, 'mn04_as_mAP_432.pt');

/** Tests on it; where it is absent, the run's summary counts the tests as skipped. */
export const describeWithEncoder = existsSync(publishedEncoderFile) ? describe : describe.skip;

/** Recordings of all sorts from elsewhere, beside the project; not part of it. */
export const foreignFolder = path.resolve('../shared/foreign');
export const describeWithForeign =
  existsSync(foreignFolder) && existsSync(publishedEncoderFile) ? describe : describe.skip;
