import type { Reliability } from '../contracts/calibration';
import { crossEntropy } from './cross-entropy';

const binCount = 10;

/**
 * Returns the expected calibration error (Guo et al. 2017). Clips are put into ten bins of equal width
 * by their highest probability; the error is the mean distance between the confidence and the accuracy
 * of a bin, weighted by its clips.
 */
export function reliability(labels: readonly number[], probabilities: readonly Float32Array[]): Reliability {
  const bins = Array.from({ length: binCount }, () => ({ clips: 0, confidence: 0, correct: 0 }));
  probabilities.forEach((row, clip) => {
    const confidence = Math.min(1, Math.max(...row));
    const bin = bins[Math.min(binCount - 1, Math.floor(confidence * binCount))]!;
    bin.clips += 1;
    bin.confidence += confidence;
    if (row.indexOf(Math.max(...row)) === labels[clip]) bin.correct += 1;
  });
  const filled = bins.filter(({ clips }) => clips > 0);
  const distance = filled.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.correct), 0);
  return {
    expectedCalibrationError: distance / labels.length,
    loss: crossEntropy(labels, probabilities),
    bins: filled.map(({ clips, confidence, correct }) => ({
      clips,
      confidence: confidence / clips,
      accuracy: correct / clips,
    })),
  };
}
