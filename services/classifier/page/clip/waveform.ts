import { prefersDark } from '../elements/dom.js';

/** Peak amplitudes of equal parts of a recording, in [0, 1]; a part for each bar of the waveform. */
type Peaks = Float32Array;

/** Hz; enough to draw a waveform. A long recording at its full rate would not fit a phone's memory. */
const drawingRate = 8000;
/** Largest width of the canvas in device pixels. */
const maxWidthPixels = 6000;

/** Decodes a recording; undefined if the browser cannot, which does not mean that the service cannot. */
export async function readSound(bytes: ArrayBuffer): Promise<AudioBuffer | undefined> {
  try {
    return await new OfflineAudioContext(1, 1, drawingRate).decodeAudioData(bytes);
  } catch {
    return undefined;
  }
}

function peaksOf(sound: AudioBuffer, count: number): Peaks {
  const peaks = new Float32Array(count);
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const samples = sound.getChannelData(channel);
    for (let index = 0; index < samples.length; index += 1) {
      const part = Math.min(count - 1, Math.floor((index * count) / samples.length));
      peaks[part] = Math.max(peaks[part]!, Math.abs(samples[index]!));
    }
  }
  return peaks;
}

/**
 * Draws a recording's waveform on a canvas, and redraws it when the width or the colour scheme changes.
 */
export interface Waveform {
  show(sound: AudioBuffer | undefined): void;
}

export function createWaveform(canvas: HTMLCanvasElement): Waveform {
  const context = canvas.getContext('2d')!;
  let sound: AudioBuffer | undefined;
  const draw = (): void => {
    const scale = Math.min(devicePixelRatio, maxWidthPixels / Math.max(1, canvas.clientWidth));
    [canvas.width, canvas.height] = [
      Math.round(canvas.clientWidth * scale),
      Math.round(canvas.clientHeight * scale),
    ];
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.fillStyle = getComputedStyle(canvas).getPropertyValue('--wave').trim();
    const [width, middle] = [canvas.clientWidth, canvas.clientHeight / 2];
    if (sound === undefined || width === 0) {
      context.fillRect(0, middle - 0.5, width, 1);
      return;
    }
    const [step, thickness] = [3, 2];
    peaksOf(sound, Math.floor(width / step)).forEach((peak, index) => {
      // The square root keeps quiet passages visible beside loud ones.
      const half = Math.max(0.5, Math.sqrt(peak) * (middle - 2));
      context.fillRect(index * step, middle - half, thickness, 2 * half);
    });
  };
  new ResizeObserver(draw).observe(canvas);
  prefersDark.addEventListener('change', draw);
  return {
    show(next) {
      sound = next;
      draw();
    },
  };
}
