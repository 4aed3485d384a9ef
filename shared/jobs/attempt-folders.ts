import { join } from 'node:path';

/** Of every job, beside the versions: which attempt has it, and what that one is about to publish. Hidden from the registry. */
export function attemptsFolder(modelsFolder: string, id?: string): string {
  return join(modelsFolder, '.jobs', id ?? '');
}
