import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createScratchFolder, sweepScratchFolders } from '../../runtime/scratch-folder';

const prefix = (): string => join(tmpdir(), 'earshot-recording-');

/** For a recording that ffmpeg reads; whoever makes it takes it away. @throws the file system's error */
export function createRecordingFolder(): Promise<string> {
  return createScratchFolder(prefix());
}

/** Takes away the recordings that killed processes left. */
export function sweepRecordings(): Promise<void> {
  return sweepScratchFolders(prefix());
}
