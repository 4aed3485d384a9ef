import { CallerCounts } from '../../../../shared/batching/caller-counts';

/** A recording's bytes, from its first one until it is answered. */
export interface HeldUpload {
  /** So many more bytes have come; others, or this one, may have to be given up for them. */
  add(bytes: number): void;
  /** All of it is here: it is not given up any more. */
  arrived(): void;
  /** Nothing of it is held any more; further calls do nothing. */
  release(): void;
}

interface Upload {
  readonly caller: string;
  readonly sinceMs: number;
  readonly giveUp: () => void;
  bytes: number;
}

/**
 * Bounds the memory of all recordings together. Those on their way take no place for work, so that there
 * may be many of them: when there are too many bytes, of the caller that has the most of them the
 * slowest upload is given up.
 */
export class UploadMemory {
  readonly #maxBytes: number;
  readonly #now: () => number;
  readonly #bytes = new CallerCounts();
  readonly #arriving = new Set<Upload>();

  /** @param now milliseconds on a clock that never goes back */
  constructor(maxBytes: number, now: () => number) {
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  /** @param giveUp ends the upload while it arrives */
  hold(caller: string, giveUp: () => void): HeldUpload {
    const upload: Upload = { caller, sinceMs: this.#now(), giveUp, bytes: 0 };
    this.#arriving.add(upload);
    let released = false;
    return {
      add: (bytes) => {
        if (released) return;
        upload.bytes += bytes;
        this.#bytes.add(caller, bytes);
        while (this.#bytes.total > this.#maxBytes && this.#giveOneUp());
      },
      arrived: () => {
        this.#arriving.delete(upload);
      },
      release: () => {
        if (released) return;
        released = true;
        this.#arriving.delete(upload);
        this.#bytes.add(caller, -upload.bytes);
      },
    };
  }

  #giveOneUp(): boolean {
    const { callerWithMost } = this.#bytes;
    const upload = this.#slowest(({ caller }) => caller === callerWithMost) ?? this.#slowest(() => true);
    if (upload === undefined) return false;
    this.#arriving.delete(upload);
    // What it held is counted until its owner lets go of it, which it does at once.
    upload.giveUp();
    return true;
  }

  #slowest(isEligible: (upload: Upload) => boolean): Upload | undefined {
    const nowMs = this.#now();
    let slowest: Upload | undefined;
    let slowestPace = Infinity;
    for (const upload of this.#arriving) {
      const pace = upload.bytes / Math.max(1, nowMs - upload.sinceMs);
      if (upload.bytes === 0 || pace >= slowestPace || !isEligible(upload)) continue;
      slowest = upload;
      slowestPace = pace;
    }
    return slowest;
  }
}
