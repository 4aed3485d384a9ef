import type { Prediction } from '../../../../shared/contracts/classification.js';
import { AppError, type ErrorCode } from '../../../../shared/errors/app-error.js';

/** Labels that are no class of the model: what it says of windows without sound, or without a sound that it knows. */
export const silenceLabel = 'silence';
export const unknownLabel = 'unknown';

/** A label as people write it: `crying_baby` is «Crying baby». */
export function labelWords(label: string): string {
  if (label === silenceLabel) return 'Silence';
  if (label === unknownLabel) return 'Something else';
  const words = label.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What was heard, as far as words for it depend on it. */
interface Heard {
  readonly label: string;
  readonly confidence: number | null;
  /** Where several sounds may be heard at once: all that are. */
  readonly labels?: readonly Prediction[] | undefined;
  readonly tags?: readonly Prediction[] | undefined;
}

/**
 * What the bars show: the sounds that are heard where there may be several, else the likeliest classes; of what is none of them
 * AudioSet's words for it, where the model has them.
 */
export function nearestSounds({
  label,
  labels,
  predictions,
  tags,
}: Heard & { readonly predictions: readonly Prediction[] }): readonly Prediction[] {
  if (label === unknownLabel && tags !== undefined) return tags;
  return labels !== undefined && labels.length > 0 ? labels : predictions;
}

/** Whether the label is a class of the model. */
export function isKnown({ label }: Pick<Heard, 'label'>): boolean {
  return label !== silenceLabel && label !== unknownLabel;
}

/** How sure the model is, for those who do not read percentages too; and what else is heard at the same time. */
export function detailWords({ label, labels, confidence, tags }: Heard): string {
  if (label === silenceLabel) return 'Too quiet to name a sound.';
  if (label === unknownLabel) {
    const nearest = tags?.[0];
    if (nearest === undefined) return 'None of the sounds that the model knows.';
    return `Sounds like: ${nearest.label} (${percent(nearest.probability)})`;
  }
  if (confidence === null) return '';
  if (labels === undefined) return `${surenessWords(confidence)}: ${percent(confidence)}`;
  const others = labels.slice(1, 1 + mostNamedBeside).map((one) => labelWords(one.label));
  return others.length === 0
    ? percent(confidence)
    : `${percent(confidence)}; also heard: ${others.join(' · ')}`;
}

/** Sounds that are named beside the first. */
const mostNamedBeside = 3;

function surenessWords(confidence: number): string {
  if (confidence >= 0.9) return 'Quite sure';
  return confidence >= 0.6 ? 'Probably' : 'Just a guess';
}

export function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(ratio > 0.0995 ? 0 : 1)} %`;
}

export function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}

/** `75.2` is `1:15`. */
export function clockTime(value: number): string {
  const whole = Math.floor(value);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** What people read instead of a code, where the service's own sentence is not meant for them; and what they can do. */
const sentences: Partial<Record<ErrorCode, readonly [what: string, todo?: string]>> = {
  unreachable: ['The connection to the server is lost.', 'Is it running, and are you online?'],
  overloaded: ['The server has as much to do as it can.', 'Please try again in a moment.'],
  unauthorized: ['This server asks for a key.', 'Type yours above, then try again.'],
  forbidden: ['This server does not let this page in.'],
  'rate-limited': ['That was more than your key allows.', 'Please wait a moment.'],
  starting: ['The server is starting.', 'It will be ready in a moment.'],
  draining: ['The server is being restarted.', 'Please try again in a moment.'],
  'engine-unavailable': ['The server cannot compute at the moment.', 'It is recovering by itself.'],
  'payload-too-large': ['This file is larger than the server takes.'],
  'undecodable-audio': ['There is no sound to be read in this file; it may be damaged.'],
  'unsupported-media': ['This is no kind of recording that the server can read.'],
  'empty-audio': ['This recording holds no sound.'],
  'clip-too-long': ['This recording is longer than the server takes.'],
  internal: ['Something went wrong.', 'Reload the page; if that does not help, please tell us.'],
};

/** Any failure, said in words, with what can be done about it. */
export function errorWords(caught: unknown): string {
  const { code, message } = AppError.from(caught);
  return sentences[code]?.join(' ') ?? message;
}

/** A failure that needs nothing to be done, for the page tries again by itself. */
export function passingErrorWords({ code, message }: AppError): string {
  return `${sentences[code]?.[0] ?? message} Listening goes on, and the page reconnects by itself.`;
}
