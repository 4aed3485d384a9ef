import path from 'node:path';
import { describeWith, material } from './needs';

/** 400 real recordings, beside the project; not part of it. */
export const esc10Folder = path.resolve('../shared/esc10');

/** Tests on those recordings. */
export const describeWithEsc10 = describeWith(material(esc10Folder));
