import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createScratchFolder, sweepScratchFolders } from '../../runtime/scratch-folder';

const prefix = (): string => join(tmpdir(), 'earshot-recording-');

/**
 * Creates a folder for a recording that ffmpeg reads; the caller removes it.
 * @throws the file system's error
 */
export function createRecordingFolder(): Promise<string> {
  return createScratchFolder(prefix());
}

/** Removes the recordings that killed processes left. */
export function sweepRecordings(): Promise<void> {
  return sweepScratchFolders(prefix());
}
