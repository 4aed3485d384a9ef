import { createHash, randomBytes } from 'node:crypto';
import { removeAdminKey, writeAdminKey, type Place } from '../../../shared/access/admin-key-file';
import { AppError } from '../../../shared/errors/app-error';
import type { Logger } from '../../../shared/observability/logger';

/** The admin key that the service generates at its start when its operator has configured none. */
export interface AdminKey {
  /** SHA-256 of the key in hex. The key itself is only in its file. */
  readonly sha256: string;
  /**
   * Writes the key to a file that the service's own user can find by the address the service listens on.
   * Never rejects: a failure is logged.
   */
  publish(place: Place): Promise<void>;
  /** Removes the file, when the service is about to end. */
  withdraw(): Promise<void>;
}

/**
 * Generates a new key at each start, so that the key in an old file is not accepted.
 * @param folders where the file may be written, the preferred folder first
 */
export function createAdminKey(folders: readonly string[], logger: Logger): AdminKey {
  const key = randomBytes(32).toString('base64url');
  let file: string | undefined;
  return {
    sha256: createHash('sha256').update(key).digest('hex'),
    publish: async ({ address, port }) => {
      try {
        file = await writeAdminKey(folders, { address, port }, key);
        logger.info(
          { file },
          'whoever can read this file may change what is served and trained, as npx earshot does',
        );
      } catch (error) {
        logger.warn(
          `Nobody can change what is served and trained, for there is no place to keep an admin key in (${AppError.from(error).message}). ` +
            'Set ADMIN_KEY_DIR to a folder that only this user can enter, or put an admin key into API_KEYS_FILE.',
        );
      }
    },
    withdraw: async () => {
      if (file !== undefined) await removeAdminKey(file, key);
    },
  };
}
