import { RecordingWindows, type RecordingWindow } from '../../shared/signal/recording-windows';
import { SlidingWindows, type SlidingWindow } from '../../shared/signal/sliding-windows';
import { sliceWindows } from '../../shared/signal/windows';
import { randomNumbers } from '../support/signals';

const sampleRate = 100;

interface Cut {
  readonly samples: Float32Array;
  readonly windowSeconds: number;
  readonly hopSeconds: number;
}

function taken<Window>(windows: { take(): Window | undefined; finish(): Window | undefined }): Window[] {
  const all: Window[] = [];
  for (let next = windows.take(); next !== undefined; next = windows.take()) all.push(next);
  const last = windows.finish();
  return last === undefined ? all : [...all, last];
}

function cutRecording({ samples, ...options }: Cut, eventHopSeconds: number | undefined): RecordingWindow[] {
  return taken(new RecordingWindows(samples, { sampleRate, ...options, eventHopSeconds }));
}

/** As a stream cuts them that gets all at once; test/signal/sliding-windows.test.ts has other pieces. */
function cutStream({ samples, windowSeconds }: Cut, hopSeconds: number): SlidingWindow[] {
  const windows = new SlidingWindows({ sampleRate, windowSeconds, hopSeconds });
  windows.push(samples);
  return taken(windows);
}

const shown = ({ startSeconds, endSeconds, samples }: SlidingWindow | ReturnType<typeof sliceWindows>[0]) =>
  [startSeconds, endSeconds, samples.length, samples[0], samples.at(-1)].join(' ');

describe('the windows of a recording', () => {
  it('are those of a whole clip, and those of a stream, whatever the lengths and hops', () => {
    const random = randomNumbers(11);
    for (let round = 0; round < 300; round += 1) {
      // Lengths on the grid, a little beyond it, and anywhere.
      const tail = [0, 3, 5, 6, Math.floor(random() * 50)][round % 5]!;
      const length = Math.max(1, 50 * Math.floor(random() * 30) + tail);
      const samples = Float32Array.from({ length }, (_, k) => k + 1);
      const windowSeconds = [5, 2.5, 0.97][round % 3]!;
      const hopSeconds = windowSeconds * [0.5, 1, 0.37][Math.floor(round / 3) % 3]!;
      const eventHopSeconds = Math.min(windowSeconds, [0.5, 0.3, hopSeconds][Math.floor(random() * 3)]!);
      const cut = { samples, windowSeconds, hopSeconds };
      const all = cutRecording(cut, eventHopSeconds);
      const listed = sliceWindows(samples, sampleRate, windowSeconds, hopSeconds).map(shown);
      expect(all.filter(({ isListed }) => isListed).map(shown)).toEqual(listed);
      expect(all.filter(({ isForEvents }) => isForEvents).map(shown)).toEqual(
        cutStream(cut, eventHopSeconds).map(shown),
      );
      expect(cutRecording(cut, undefined).map(shown)).toEqual(listed);
    }
  });

  it('are views of it, which take no memory', () => {
    const samples = new Float32Array(1200);
    const windows = cutRecording({ samples, windowSeconds: 5, hopSeconds: 2.5 }, 0.5);
    expect(windows.every((window) => window.samples.buffer === samples.buffer)).toBe(true);
  });

  it('that are both are cut once', () => {
    const cut = { samples: new Float32Array(1200), windowSeconds: 5, hopSeconds: 2.5 };
    const windows = cutRecording(cut, 0.5);
    expect(windows).toHaveLength(9 + 14);
    // Also the one at the end, which is on the grid of the events alone.
    expect(windows.at(-1)).toMatchObject({ endSeconds: 12, isListed: true, isForEvents: true });
  });
});
