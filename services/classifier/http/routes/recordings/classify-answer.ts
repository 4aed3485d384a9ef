import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Classification, RecordingEvent } from '../../../../../shared/contracts/classification';
import { AppError } from '../../../../../shared/errors/app-error';
import type { ClassifyQuery } from '../../classify-query';
import { bestType } from '../../media-ranges';

/** What Hugging Face's audio-classification task answers. */
export const scoresSchema = z.array(z.object({ label: z.string(), score: z.number().min(0).max(1) }));

const mediaTypes = ['application/json', 'text/plain'] as const;
export type AnswerType = (typeof mediaTypes)[number];

/**
 * Which form of answer the client takes; asked before the work is done.
 * @throws AppError not-acceptable when it takes none
 */
export function negotiateAnswer(req: Request): AnswerType {
  const type = bestType(req.headers.accept, mediaTypes);
  if (type !== undefined) return type;
  throw new AppError(
    'not-acceptable',
    `The answer comes as ${mediaTypes.join(' or ')}; the Accept header allows neither.`,
  );
}

export function sendAnswer(
  res: Response,
  answer: Classification,
  type: AnswerType,
  format: ClassifyQuery['format'],
): void {
  res.vary('Accept');
  res.setHeader('Cache-Control', 'no-store');
  if (type === 'text/plain') res.type(type).send(toLines(answer));
  else if (format === 'hf') sendScores(res, answer);
  else res.json(answer);
}

/** Sends what Hugging Face's clients expect. */
export function sendScores(res: Response, { predictions }: Pick<Classification, 'predictions'>): void {
  const scores: z.infer<typeof scoresSchema> = predictions.map(({ label, probability }) => ({
    label,
    score: probability,
  }));
  res.setHeader('Cache-Control', 'no-store');
  res.json(scores);
}

/**
 * A line a class: ` 93.1 %  dog`, of several that are heard at once these; before them `unknown, sounds
 * like Siren`, where that is the answer; behind them a line an event.
 */
function toLines({ unknown, label, labels = [], predictions, tags, events = [] }: Classification): string {
  const lines = (labels.length > 0 ? labels : predictions)
    .map(({ label, probability }) => `${(probability * 100).toFixed(1).padStart(5)} %  ${label}\n`)
    .join('');
  const hint = tags?.[0] === undefined ? '' : `, sounds like ${tags[0].label}`;
  return `${unknown ? `${label}${hint}\n` : ''}${lines}${events.map(toEventLine).join('')}`;
}

/** `0.4 s to 2.1 s  dog  97.0 %` */
function toEventLine({ label, onsetSeconds, offsetSeconds, peakConfidence }: RecordingEvent): string {
  const span = `${onsetSeconds.toFixed(1)} s to ${offsetSeconds.toFixed(1)} s`;
  return `${span}  ${label}  ${(peakConfidence * 100).toFixed(1)} %\n`;
}
