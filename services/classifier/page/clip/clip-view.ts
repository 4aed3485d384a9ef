import type { Classification } from '../../../../shared/contracts/classification.js';
import { showBars } from '../draw/bars.js';
import { byId } from '../elements/dom.js';
import { createPlayer } from './player.js';
import { createWaveform } from './waveform.js';
import { createWindowsView } from './windows-view.js';
import { detailText, labelText, nearestSounds, seconds } from '../elements/text.js';

export const shownClasses = 3;
/**
 * Least width of a window's button, so that its name can be read; the track scrolls if it is too long.
 */
const windowPixels = 72;

type ShownResult = Pick<Classification, 'label' | 'labels' | 'confidence' | 'predictions' | 'tags'>;

/** Shows a recording and its classification: name, result, waveform and windows. */
export interface ClipView {
  show(name: string, recording: Blob, sound: AudioBuffer | undefined, answer: Classification): void;
  hide(): void;
}

export function createClipView(): ClipView {
  const panel = byId('clip', HTMLElement);
  const bars = byId('clip-bars', HTMLElement);
  const canvas = byId('waveform', HTMLCanvasElement);
  const inner = byId('track-inner', HTMLElement);
  const waveform = createWaveform(canvas);
  let shown: { readonly name: string; readonly answer: Classification } | undefined;

  const showResult = (caption: string, result: ShownResult): void => {
    byId('clip-name', HTMLElement).textContent = caption;
    byId('clip-label', HTMLElement).textContent = labelText(result.label);
    byId('clip-detail', HTMLElement).textContent = detailText(result);
    showBars(bars, nearestSounds(result), shownClasses);
  };
  const windows = createWindowsView((chosen) => {
    if (shown === undefined) return;
    if (chosen === undefined) {
      showResult(shown.name, shown.answer);
      return;
    }
    const { startSeconds, endSeconds } = chosen;
    showResult(`${shown.name}, from ${seconds(startSeconds)} to ${seconds(endSeconds)}`, chosen);
    player.seek(startSeconds);
  });
  const player = createPlayer((at) => {
    windows.mark(at);
  });

  return {
    show(name, recording, sound, answer) {
      shown = { name, answer };
      panel.hidden = false;
      showResult(name, answer);
      const { durationSeconds } = answer.audio;
      inner.style.minWidth = `${(answer.windows.length * windowPixels) / 2}px`;
      canvas.setAttribute('aria-label', `Waveform of ${name}, ${seconds(durationSeconds)}`);
      waveform.show(sound);
      windows.show(answer.windows, durationSeconds);
      byId('clip-facts', HTMLElement).textContent = factsOf(answer);
      player.load(recording, durationSeconds);
    },
    hide() {
      panel.hidden = true;
    },
  };
}

function factsOf({ audio, windows, timings }: Classification): string {
  const kilohertz = `${audio.sampleRate / 1000} kHz`;
  const channels =
    audio.channels === 1 ? 'mono' : audio.channels === 2 ? 'stereo' : `${audio.channels} channels`;
  const ms = Math.round(timings.decodeMs + timings.queueMs + timings.inferenceMs);
  const sound = `${audio.format} (${audio.codec}), ${kilohertz}, ${channels}, ${seconds(audio.durationSeconds)}`;
  if (windows.length === 1) return `${sound}; judged in ${ms} ms.`;
  return `${sound}; judged as ${windows.length} windows in ${ms} ms. Press a window to see what was heard in it.`;
}
