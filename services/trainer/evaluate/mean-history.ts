import type { EpochMetrics } from '../../../shared/contracts/report';

/** The curves of several runs of equal length as one: the mean of each figure, epoch by epoch. */
export function meanHistory(histories: readonly (readonly EpochMetrics[])[]): EpochMetrics[] {
  return histories[0]!.map(({ epoch }, index) => {
    const mean = (figure: (metrics: EpochMetrics) => number): number =>
      histories.reduce((sum, history) => sum + figure(history[index]!), 0) / histories.length;
    return {
      epoch,
      trainLoss: mean(({ trainLoss }) => trainLoss),
      trainAccuracy: mean(({ trainAccuracy }) => trainAccuracy),
      validationLoss: mean(({ validationLoss }) => validationLoss),
      validationAccuracy: mean(({ validationAccuracy }) => validationAccuracy),
      seconds: mean(({ seconds }) => seconds),
    };
  });
}
