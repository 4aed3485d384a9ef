import type { Classification } from '../../../shared/contracts/classification.js';
import { showBars } from './bars.js';
import { byId } from './dom.js';
import { createPlayer } from './player.js';
import { createWaveform } from './waveform.js';
import { createWindowsView } from './windows-view.js';
import { confidenceWords, labelWords, percent, seconds, silenceLabel, unknownLabel } from './words.js';

export const shownClasses = 3;
/** So wide a window must be at least, for its name to be read; more of them make the track scroll. */
const windowPixels = 72;

/** What came of a recording: its name, its sound, its windows. */
export interface ClipView {
  show(name: string, recording: Blob, sound: AudioBuffer | undefined, answer: Classification): void;
  hide(): void;
}

export function createClipView(): ClipView {
  const panel = byId('clip', HTMLElement);
  const bars = byId('clip-bars', HTMLElement);
  const windowDetail = byId('window-detail', HTMLElement);
  const canvas = byId('waveform', HTMLCanvasElement);
  const inner = byId('track-inner', HTMLElement);
  const waveform = createWaveform(canvas);
  let answer: Classification | undefined;

  const windows = createWindowsView((chosen) => {
    showBars(bars, (chosen ?? answer)?.predictions ?? [], shownClasses);
    windowDetail.textContent = chosen === undefined ? overview(answer) : windowWords(chosen);
    if (chosen !== undefined) player.seek(chosen.startSeconds);
  });
  const player = createPlayer((at) => {
    windows.mark(at);
  });

  return {
    show(name, recording, sound, next) {
      answer = next;
      const { label, confidence, predictions, audio } = next;
      panel.hidden = false;
      byId('clip-name', HTMLElement).textContent = name;
      byId('clip-label', HTMLElement).textContent = labelWords(label);
      const known = label !== silenceLabel && label !== unknownLabel;
      const words = confidenceWords(label, confidence);
      byId('clip-detail', HTMLElement).textContent = known ? `${words}: ${percent(confidence)}` : words;
      showBars(bars, predictions, shownClasses);
      inner.style.minWidth = `${(next.windows.length * windowPixels) / 2}px`;
      canvas.setAttribute('aria-label', `Waveform of ${name}, ${seconds(audio.durationSeconds)}`);
      waveform.show(sound);
      windows.show(next.windows, audio.durationSeconds);
      windowDetail.textContent = overview(next);
      player.load(recording, audio.durationSeconds);
    },
    hide() {
      panel.hidden = true;
    },
  };
}

function overview(answer: Classification | undefined): string {
  if (answer === undefined) return '';
  const { audio, windows, timings } = answer;
  const kilohertz = `${audio.sampleRate / 1000} kHz`;
  const channels =
    audio.channels === 1 ? 'mono' : audio.channels === 2 ? 'stereo' : `${audio.channels} channels`;
  const parts = windows.length === 1 ? 'one window' : `${windows.length} windows`;
  const ms = Math.round(timings.decodeMs + timings.queueMs + timings.inferenceMs);
  return `${audio.format} (${audio.codec}), ${kilohertz}, ${channels}, ${seconds(audio.durationSeconds)}; judged in ${parts}, in ${ms} ms.`;
}

function windowWords({
  startSeconds,
  endSeconds,
  label,
  confidence,
}: Classification['windows'][number]): string {
  return `From ${seconds(startSeconds)} to ${seconds(endSeconds)}: ${labelWords(label)}, ${percent(confidence)}.`;
}
