import { byId, prefersDark, prefersReducedMotion } from '../elements/dom.js';
import { readPalette } from './palette.js';
import { createScopePainter, maxLanes, type EventSpan } from './scope-painter.js';
import { columnsPerSecond, createSpectrumAnalyser, type SpectrumAnalyser } from './spectrum.js';

/** The spectrogram of the last seconds, with the detected events below it. */
export interface Scope {
  /** Clears the picture and starts it. @param sampleRate of the sound that follows, in Hz */
  start(sampleRate: number): void;
  push(samples: Float32Array): void;
  /** Adds or updates an event; `offsetSeconds` is undefined while it lasts. */
  mark(id: string, span: Omit<EventSpan, 'lane'>): void;
  /** Stops the animation; the picture stays. */
  stop(): void;
}

export function createScope(): Scope {
  const painter = createScopePainter(byId('scope', HTMLCanvasElement));
  let analyser: SpectrumAnalyser | undefined;
  let recent = new Float32Array(0);
  let hopSamples = 1;
  let samplesSeen = 0;
  let running = false;
  /** The column at the picture's right edge. It moves evenly, although the sound arrives in chunks. */
  let head = 0;
  let drawnAt = 0;
  const spans = new Map<string, EventSpan>();

  const draw = (now: number): void => {
    const newest = painter.columns;
    const step = ((now - drawnAt) / 1000) * columnsPerSecond;
    drawnAt = now;
    head = Math.max(newest - 4, Math.min(newest, head + step));
    painter.paint(head, [...spans.values()], prefersReducedMotion.matches);
    if (running) requestAnimationFrame(draw);
  };
  const redraw = (): void => {
    if (!running) painter.paint(head, [...spans.values()], prefersReducedMotion.matches);
  };
  const refit = (): void => {
    painter.fit(readPalette());
    redraw();
  };
  new ResizeObserver(refit).observe(byId('scope', HTMLCanvasElement));
  prefersDark.addEventListener('change', refit);
  prefersReducedMotion.addEventListener('change', redraw);

  return {
    start(sampleRate) {
      analyser = createSpectrumAnalyser(sampleRate);
      recent = new Float32Array(analyser.size);
      hopSamples = sampleRate / columnsPerSecond;
      samplesSeen = head = 0;
      spans.clear();
      painter.clear();
      if (!running) {
        running = true;
        requestAnimationFrame((now) => {
          drawnAt = now;
          draw(now);
        });
      }
    },
    push(samples) {
      if (analyser === undefined) return;
      let at = 0;
      while (at < samples.length) {
        // Samples up to the end of the next column, so that columns are evenly spaced in time.
        const due = Math.round((painter.columns + 1) * hopSamples) - samplesSeen;
        const taken = Math.min(due, samples.length - at);
        recent.copyWithin(0, taken);
        recent.set(samples.subarray(at, at + taken), recent.length - taken);
        samplesSeen += taken;
        at += taken;
        if (taken === due) painter.add(analyser.column(recent));
      }
    },
    mark(id, span) {
      spans.set(id, {
        ...span,
        lane: spans.get(id)?.lane ?? freeLane([...spans.values()], span.onsetSeconds),
      });
      const oldest = spans.keys().next().value;
      if (spans.size > 64 && oldest !== undefined) spans.delete(oldest);
    },
    stop() {
      running = false;
      head = painter.columns;
      redraw();
    },
  };
}

/** The first lane that is free at a time; the last lane if none is. */
function freeLane(spans: readonly EventSpan[], atSeconds: number): number {
  for (let lane = 0; lane < maxLanes - 1; lane += 1) {
    const taken = spans.some((span) => span.lane === lane && (span.offsetSeconds ?? Infinity) > atSeconds);
    if (!taken) return lane;
  }
  return maxLanes - 1;
}
