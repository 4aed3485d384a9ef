import { prefersDark } from '../elements/dom.js';

/** The loudest samples of each pixel's share of a recording, in [0, 1]. */
export type Peaks = Float32Array;

/** Enough for a picture; a long recording at full rate would not fit a phone's memory. */
const pictureRate = 8000;
const widestPixels = 6000;

/** The recording as the browser reads it; undefined when it cannot, though the service may. */
export async function readSound(bytes: ArrayBuffer): Promise<AudioBuffer | undefined> {
  try {
    return await new OfflineAudioContext(1, 1, pictureRate).decodeAudioData(bytes);
  } catch {
    return undefined;
  }
}

export function peaksOf(sound: AudioBuffer, count: number): Peaks {
  const peaks = new Float32Array(count);
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const samples = sound.getChannelData(channel);
    for (let index = 0; index < samples.length; index += 1) {
      const place = Math.min(count - 1, Math.floor((index * count) / samples.length));
      peaks[place] = Math.max(peaks[place]!, Math.abs(samples[index]!));
    }
  }
  return peaks;
}

/** Keeps a canvas showing a recording, at any width and in both colour schemes. */
export interface Waveform {
  show(sound: AudioBuffer | undefined): void;
}

export function createWaveform(canvas: HTMLCanvasElement): Waveform {
  const screen = canvas.getContext('2d')!;
  let sound: AudioBuffer | undefined;
  const draw = (): void => {
    const scale = Math.min(devicePixelRatio, widestPixels / Math.max(1, canvas.clientWidth));
    [canvas.width, canvas.height] = [
      Math.round(canvas.clientWidth * scale),
      Math.round(canvas.clientHeight * scale),
    ];
    screen.setTransform(scale, 0, 0, scale, 0, 0);
    screen.fillStyle = getComputedStyle(canvas).getPropertyValue('--wave').trim();
    const [width, middle] = [canvas.clientWidth, canvas.clientHeight / 2];
    if (sound === undefined || width === 0) {
      screen.fillRect(0, middle - 0.5, width, 1);
      return;
    }
    const [step, thickness] = [3, 2];
    peaksOf(sound, Math.floor(width / step)).forEach((peak, index) => {
      // A square root lets quiet passages be seen beside loud ones.
      const half = Math.max(0.5, Math.sqrt(peak) * (middle - 2));
      screen.fillRect(index * step, middle - half, thickness, 2 * half);
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
