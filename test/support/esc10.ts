import { existsSync } from 'node:fs';
import path from 'node:path';

/** 400 real recordings, beside the project; not part of it. */
export const esc10Folder = path.resolve('../shared/esc10');

/** Tests on those recordings; where they are absent, the run's summary counts the tests as skipped. */
export const describeWithEsc10 = existsSync(esc10Folder) ? describe : describe.skip;
