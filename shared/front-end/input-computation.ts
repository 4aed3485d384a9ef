/** How one kind of front end turns a window into inputs of a network. */
export interface InputComputation<FrontEnd> {
  /** Length of one input. */
  inputLength(frontEnd: FrontEnd): number;
  /** Maximum number of inputs per window; their probabilities are averaged. */
  inputsPerWindow(frontEnd: FrontEnd): number;
  /**
   * Writes the inputs of a window to `out` from `offset` on, one after the other.
   * @param window mono at the front end's rate, cut to its length; a shorter one is padded as the front
   * end requires
   * @returns their number, at least one
   */
  write(window: Float32Array, frontEnd: FrontEnd, out: Float32Array, offset: number): number;
}
