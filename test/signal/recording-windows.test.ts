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

interface Windows<Window> {
  push(samples: Float32Array): void;
  take(): Window | undefined;
}

function takeAll<Window>(windows: Windows<Window>, samples: Float32Array, chunk: () => number): Window[] {
  const taken: Window[] = [];
  for (let at = 0; at < samples.length;) {
    const size = chunk();
    windows.push(samples.subarray(at, at + size));
    at += size;
    for (let next = windows.take(); next !== undefined; next = windows.take()) taken.push(next);
  }
  return taken;
}

function cutRecording(
  { samples, ...options }: Cut,
  eventHopSeconds: number | undefined,
  chunk: () => number,
): RecordingWindow[] {
  const windows = new RecordingWindows({ sampleRate, ...options, eventHopSeconds });
  const taken = takeAll(windows, samples, chunk);
  const last = windows.finish();
  return last === undefined ? taken : [...taken, last];
}

function cutStream({ samples, windowSeconds }: Cut, hopSeconds: number): SlidingWindow[] {
  const windows = new SlidingWindows({ sampleRate, windowSeconds, hopSeconds });
  const taken = takeAll(windows, samples, () => samples.length);
  const last = windows.finish();
  return last === undefined ? taken : [...taken, last];
}

const shown = ({ startSeconds, endSeconds, samples }: SlidingWindow | ReturnType<typeof sliceWindows>[0]) =>
  [startSeconds, endSeconds, samples.length, samples[0], samples.at(-1)].join(' ');

describe('the windows of a recording', () => {
  it('are those of a whole clip, and those of a stream, whatever the lengths, hops and pieces', () => {
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
      const all = cutRecording(cut, eventHopSeconds, () => 1 + Math.floor(random() * 700));
      const listed = sliceWindows(samples, sampleRate, windowSeconds, hopSeconds).map(shown);
      expect(all.filter(({ isListed }) => isListed).map(shown)).toEqual(listed);
      expect(all.filter(({ isForEvents }) => isForEvents).map(shown)).toEqual(
        cutStream(cut, eventHopSeconds).map(shown),
      );
      expect(cutRecording(cut, undefined, () => 37).map(shown)).toEqual(listed);
    }
  });

  it('that are both are cut once', () => {
    const cut = { samples: new Float32Array(1200), windowSeconds: 5, hopSeconds: 2.5 };
    const windows = cutRecording(cut, 0.5, () => 100);
    expect(windows).toHaveLength(9 + 14);
    // Also the one at the end, which is on the grid of the events alone.
    expect(windows.at(-1)).toMatchObject({ endSeconds: 12, isListed: true, isForEvents: true });
  });
});
