import { join } from 'node:path';

/**
 * Returns the folder that records which attempt owns a job and what it is about to publish. It lies
 * beside the versions and is hidden from the registry.
 */
export function attemptsFolder(modelsFolder: string, id?: string): string {
  return join(modelsFolder, '.jobs', id ?? '');
}
