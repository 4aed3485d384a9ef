import type { Prediction } from '../../../../shared/contracts/classification.js';
import { AppError, type ErrorCode } from '../../../../shared/errors/app-error.js';

/** Labels that are no classes: for windows without sound, and for windows without a known sound. */
const silenceLabel = 'silence';
const unknownLabel = 'unknown';

/** Text for a label: `crying_baby` becomes «Crying baby». */
export function labelText(label: string): string {
  if (label === silenceLabel) return 'Silence';
  if (label === unknownLabel) return 'Something else';
  const words = label.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The parts of a result that its description depends on. */
interface DescribedResult {
  readonly label: string;
  readonly confidence: number | null;
  /** All classes that are heard, of a multi-label version. */
  readonly labels?: readonly Prediction[] | undefined;
  readonly tags?: readonly Prediction[] | undefined;
}

/**
 * The entries for the bars: of a multi-label version the classes that are heard, else the most probable
 * classes. For an unknown sound they are its AudioSet tags, if the model has them.
 */
export function nearestSounds({
  label,
  labels,
  predictions,
  tags,
}: DescribedResult & { readonly predictions: readonly Prediction[] }): readonly Prediction[] {
  if (label === unknownLabel && tags !== undefined) return tags;
  return labels !== undefined && labels.length > 0 ? labels : predictions;
}

/** Whether the label is a class of the model. */
export function isKnown({ label }: Pick<DescribedResult, 'label'>): boolean {
  return label !== silenceLabel && label !== unknownLabel;
}

/** Describes the confidence in words and in percent, and lists what else is heard at the same time. */
export function detailText({ label, labels, confidence, tags }: DescribedResult): string {
  if (label === silenceLabel) return 'Too quiet to name a sound.';
  if (label === unknownLabel) {
    const nearest = tags?.[0];
    if (nearest === undefined) return 'None of the sounds that the model knows.';
    return `Sounds like: ${nearest.label} (${percent(nearest.probability)})`;
  }
  if (confidence === null) return '';
  if (labels === undefined) return `${confidenceText(confidence)}: ${percent(confidence)}`;
  const others = labels.slice(1, 1 + maxOtherSounds).map((other) => labelText(other.label));
  return others.length === 0
    ? percent(confidence)
    : `${percent(confidence)}; also heard: ${others.join(' · ')}`;
}

/** Largest number of other sounds that are listed. */
const maxOtherSounds = 3;

function confidenceText(confidence: number): string {
  if (confidence >= 0.9) return 'Quite sure';
  return confidence >= 0.6 ? 'Probably' : 'Just a guess';
}

export function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(ratio > 0.0995 ? 0 : 1)} %`;
}

export function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}

/** Formats seconds as minutes and seconds: `75.2` becomes `1:15`. */
export function clockTime(value: number): string {
  const whole = Math.floor(value);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Error texts for users, and advice, where the service's own message is meant for developers. */
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

/** Text for any error, with advice where there is some. */
export function errorText(caught: unknown): string {
  const { code, message } = AppError.from(caught);
  return sentences[code]?.join(' ') ?? message;
}

/** Text for an error after which the page reconnects by itself. */
export function transientErrorText({ code, message }: AppError): string {
  return `${sentences[code]?.[0] ?? message} Listening goes on, and the page reconnects by itself.`;
}
