import type { Prediction, RecordingEvent } from '../../../shared/contracts/classification';
import type { Job, JobProgress } from '../../../shared/contracts/job';
import { subjectOf } from '../../../shared/contracts/job-kinds';
import type { Problem } from '../../../shared/contracts/problem';
import type { DoneMessage, EventMessage, PredictionMessage } from '../../../shared/contracts/stream';
import type { AppError } from '../../../shared/errors/app-error';

/** The part of an answer that is printed. */
export interface PrintedAnswer {
  readonly label: string;
  /** All classes that are heard, of a multi-label version. */
  readonly labels?: readonly Prediction[] | undefined;
  readonly predictions: readonly Prediction[];
  /** AudioSet tags, if the model has them. */
  readonly tags?: readonly Prediction[] | undefined;
}

/**
 * Formats an answer as `dog 99.7 %, rooster 0.2 %`; of a multi-label version all classes that are heard.
 * Where the answer is no class (`unknown`, `silence`), it comes first and the nearest classes follow:
 * `unknown, sounds like Siren (rain 65.0 %, sea_waves 12.1 %)`.
 */
export function classificationText({ label, labels = [], predictions, tags }: PrintedAnswer): string {
  if (labels.length > 0) return classList(labels);
  const classes = classList(predictions);
  if (classes === '') return label;
  if (predictions[0]!.label === label) return classes;
  const hint = tags?.[0] === undefined ? '' : `, sounds like ${tags[0].label}`;
  return `${label}${hint} (${classes})`;
}

function classList(classes: readonly Prediction[]): string {
  return classes.map((entry) => `${entry.label} ${percent(entry.probability)}`).join(', ');
}

export function failureLine(file: string, { message }: AppError): string {
  return `${file}: ${message}`;
}

/** `0:03.5  dog` for a start; `0:06.2  dog ended after 2.7 s (97.0 %)` for an end. */
export function eventLine({
  event,
  label,
  onsetSeconds,
  offsetSeconds,
  peakConfidence,
}: EventMessage): string {
  if (event === 'started' || offsetSeconds === null) return `${position(onsetSeconds)}  ${label}`;
  const length = (offsetSeconds - onsetSeconds).toFixed(1);
  return `${position(offsetSeconds)}  ${label} ended after ${length} s (${percent(peakConfidence)})`;
}

/** `  0:00.3 to 0:09.3  dog (97.0 %)` */
export function eventSpanLine({
  label,
  onsetSeconds,
  offsetSeconds,
  peakConfidence,
}: RecordingEvent): string {
  return `  ${position(onsetSeconds)} to ${position(offsetSeconds)}  ${label} (${percent(peakConfidence)})`;
}

const barCharacters = 30;

/** `[##########--------------------]  33 %  4 of 12` */
export function progressBar(done: number, total: number): string {
  const share = total === 0 ? 1 : done / total;
  const filled = Math.floor(share * barCharacters);
  const bar = '#'.repeat(filled).padEnd(barCharacters, '-');
  return `[${bar}] ${String(Math.floor(100 * share)).padStart(3)} %  ${done} of ${total}`;
}

/** A prediction: its time, its classes, the level and the lag. */
export function nowLine(message: PredictionMessage): string {
  const { endSeconds, level, lagMs } = message;
  return `${position(endSeconds)}  ${classificationText(message)}  (${level.toFixed(0)} dB, ${lagMs.toFixed(0)} ms)`;
}

export interface Totals {
  readonly audioSeconds: number;
  readonly predictions: number;
  readonly sounds: number;
  readonly droppedSeconds: number;
  readonly reconnects: number;
}

export function totalsLine(totals: Totals, done: DoneMessage | undefined): string {
  const parts = [
    `${totals.audioSeconds.toFixed(1)} s of sound`,
    `${totals.predictions} predictions`,
    totals.sounds === 1 ? '1 sound heard' : `${totals.sounds} sounds heard`,
  ];
  if (done !== undefined) parts.push(`mean lag ${done.totals.meanLagMs.toFixed(0)} ms`);
  if (totals.droppedSeconds > 0) parts.push(`${totals.droppedSeconds.toFixed(1)} s dropped`);
  if (totals.reconnects > 0)
    parts.push(totals.reconnects === 1 ? '1 reconnect' : `${totals.reconnects} reconnects`);
  return parts.join(', ');
}

/** `1 clip`, `2 clips` */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** `4f1c…  running  cnn on kitchen  epoch 3/40, validation 81.2 %, 240 s left` */
export function jobLine({ id, state, request, progress, result, error }: Job): string {
  const outcome =
    error?.message ?? result?.versions.join(', ') ?? (progress === undefined ? '' : progressText(progress));
  return [id, state, subjectOf(request), outcome].filter((part) => part !== '').join('  ');
}

/** The runs of a cross-validation or a grid: how many are done, and the progress of those that run. */
export function runsLine(id: string, runs: readonly Job[]): string {
  const done = runs.filter(({ state }) => state === 'finished').length;
  const running = runs.flatMap(({ state, progress }) =>
    state === 'running' && progress !== undefined ? [progressText(progress)] : [],
  );
  return [id, 'running', `${done} of ${counted(runs.length, 'run')} done`, ...running].join('  ');
}

function progressText({ epoch, epochs, latest, secondsLeft }: JobProgress): string {
  const parts = [`epoch ${epoch}/${epochs}`];
  if (latest !== undefined) parts.push(`validation ${percent(latest.validationAccuracy)}`);
  if (secondsLeft !== undefined) parts.push(`${Math.ceil(secondsLeft)} s left`);
  return parts.join(', ');
}

/** The problems of an error that lists several; none if it has only one, which is in its message. */
export function problemLines({ details }: AppError): string[] {
  const problems = (details['problems'] ?? []) as NonNullable<Problem['problems']>;
  return problems.length < 2 ? [] : problems.map(({ message }) => message);
}

/** `1:02.5` */
function position(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const rest = String((tenths % 600) / 10);
  const [whole = '0', tenth = '0'] = rest.split('.');
  return `${Math.floor(tenths / 600)}:${whole.padStart(2, '0')}.${tenth}`;
}

export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
