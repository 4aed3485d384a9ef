import { byId, prefersDark, prefersReducedMotion } from '../elements/dom.js';
import { readPalette } from './palette.js';
import { createScopePainter, mostLanes, type HeardSpan } from './scope-painter.js';
import { columnsPerSecond, createSpectrumAnalyser, type SpectrumAnalyser } from './spectrum.js';

/** The picture of the last seconds: pitch over time, and below it what was heard when. */
export interface Scope {
  /** Empties the picture; what follows is sound of this rate. */
  start(sampleRate: number): void;
  push(samples: Float32Array): void;
  /** An event, new or with a new end; `offsetSeconds` undefined while it lasts. */
  mark(id: string, span: Omit<HeardSpan, 'lane'>): void;
  /** The picture stays as it is. */
  stop(): void;
}

export function createScope(): Scope {
  const painter = createScopePainter(byId('scope', HTMLCanvasElement));
  let analyser: SpectrumAnalyser | undefined;
  let recent = new Float32Array(0);
  let hopSamples = 1;
  let samplesSeen = 0;
  let running = false;
  /** Where the picture's right edge is, in columns: follows the sound smoothly, which comes in chunks. */
  let head = 0;
  let drawnAt = 0;
  const spans = new Map<string, HeardSpan>();

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
        // Up to the next column's end, so that columns lie evenly in time however the sound is cut.
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

/** The first lane in which nothing sounds any more at that moment; the last where none is free. */
function freeLane(spans: readonly HeardSpan[], atSeconds: number): number {
  for (let lane = 0; lane < mostLanes - 1; lane += 1) {
    const taken = spans.some((span) => span.lane === lane && (span.offsetSeconds ?? Infinity) > atSeconds);
    if (!taken) return lane;
  }
  return mostLanes - 1;
}
