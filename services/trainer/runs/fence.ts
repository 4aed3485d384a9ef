/**
 * What keeps an attempt of a job that was taken for lost, and is not, from changing what a later one has
 * made.
 */
export interface Fence {
  /** Stands in the names of whatever this attempt keeps of a run. */
  readonly attempt: number;
  /**
   * Where it puts a version together: gone, with all that is in it, from the moment that a later attempt
   * has the job.
   */
  readonly scratchFolder: string;
  /**
   * Before anything is computed or kept in vain. @throws AppError conflict when a later attempt has the
   * job
   */
  assertMine(): Promise<void>;
}
