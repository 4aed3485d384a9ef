import { createHash, randomBytes } from 'node:crypto';
import { removeAdminKey, writeAdminKey, type Place } from '../../../shared/access/admin-key-file';
import { AppError } from '../../../shared/errors/app-error';
import type { Logger } from '../../../shared/observability/logger';

/** The admin key that this start of the service made for itself, where its operator gave it none. */
export interface AdminKey {
  /** Of the key, whose plain text only its file has. */
  readonly sha256: string;
  /** Leaves the key for the service's own user to find, by where the service listens. Never fails: what goes wrong is logged. */
  publish(place: Place): Promise<void>;
  /** Takes it away again, for the service is about to end. */
  withdraw(): Promise<void>;
}

/**
 * A new key at each start: one that was read from an old file opens nothing.
 * @param folders where it may be kept, the best place first
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
