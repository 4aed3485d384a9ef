/** How much is measured. */
export interface CheckSize {
  /** Of each measurement of the service, and at most of each timing of an engine. */
  readonly seconds: number;
  /** Windows of the batches that are timed. */
  readonly batches: readonly number[];
  /** At a time, each with one request. */
  readonly connections: readonly number[];
  /** Live microphones at a time. */
  readonly streams: readonly number[];
  /** Whether only the smallest untrained network and one on the pretrained encoder are checked. */
  readonly isBrief: boolean;
}

/** @param isBrief the least that shows that each check works */
export function checkSize(seconds: number, isBrief: boolean): CheckSize {
  return isBrief
    ? { seconds, batches: [1], connections: [1], streams: [1], isBrief }
    : { seconds, batches: [1, 16, 64], connections: [1, 8, 32], streams: [1, 20, 60], isBrief };
}
