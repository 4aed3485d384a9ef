/**
 * Share of the highest learning rate: rises in a straight line over the first `warmUp` of the steps,
 * then falls on half a cosine to 0.
 * @param step 0 for the first
 */
export function warmUpThenCosine(step: number, steps: number, warmUp: number): number {
  const rising = steps * warmUp;
  if (step < rising) return (step + 1) / rising;
  return 0.5 * (1 + Math.cos((Math.PI * (step - rising)) / (steps - rising)));
}
