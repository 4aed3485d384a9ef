import { appendFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isAbsent } from '../../../shared/errors/machine-fault';

/** A full file of dead letters replaces the one before it, so that twice this is kept. */
const maxFileBytes = 4 * 1024 * 1024;

/**
 * Events that a receiver does not take, with the reason, one in JSON a line: `dead.jsonl`, and the older
 * ones in `dead.1.jsonl`.
 */
export class DeadLetters {
  readonly #file: string;
  readonly #olderFile: string;

  constructor(folder: string) {
    this.#file = join(folder, 'dead.jsonl');
    this.#olderFile = join(folder, 'dead.1.jsonl');
  }

  /** @param event as it was queued @throws the file system's error */
  add(event: string, reason: string): void {
    const at = new Date().toISOString();
    if (this.#bytes() > maxFileBytes) renameSync(this.#file, this.#olderFile);
    const line = `{"at":${JSON.stringify(at)},"reason":${JSON.stringify(reason)},"event":${event}}\n`;
    appendFileSync(this.#file, line, { mode: 0o600 });
  }

  #bytes(): number {
    try {
      return statSync(this.#file).size;
    } catch (caught) {
      if (isAbsent(caught)) return 0;
      throw caught;
    }
  }
}
