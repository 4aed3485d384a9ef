import path from 'node:path';
import { describeWith, material } from './needs';

/** The published encoder and what it computes, beside the project; not part of it. */
export const pretrainedFolder = path.resolve('../shared/pretrained');
export const publishedEncoderFile = path.join(pretrainedFolder, 'mn04_as_mAP_432.pt');

/** Tests on it. */
export const describeWithEncoder = describeWith(material(publishedEncoderFile));

/** Recordings of all sorts from elsewhere, beside the project; not part of it. */
export const foreignFolder = path.resolve('../shared/foreign');
export const describeWithForeign = describeWith(material(foreignFolder, publishedEncoderFile));
