import { byId } from '../elements/dom.js';

const [lowestDb, highestDb] = [-60, 0];
/** Fall rate of the bar: fast enough to show a clap, slow enough to be read. */
const fallDbPerSecond = 30;
const peakHoldSeconds = 1;
const textIntervalMs = 250;

/**
 * Shows the level of incoming sound: its root mean square in dB, where a full-scale square wave is 0 dB.
 */
export interface LevelMeter {
  show(samples: Float32Array, sampleRate: number): void;
  reset(): void;
}

export function createLevelMeter(): LevelMeter {
  const meter = byId('meter', HTMLElement);
  const number = byId('level-number', HTMLOutputElement);
  let shownDb = lowestDb;
  let peakDb = lowestDb;
  let peakAge = 0;
  let textUpdatedMs = 0;

  const draw = (): void => {
    meter.style.setProperty('--level', String(share(shownDb)));
    meter.style.setProperty('--peak', String(share(peakDb)));
  };
  return {
    show(samples, sampleRate) {
      const seconds = samples.length / sampleRate;
      const db = Math.max(lowestDb, levelOf(samples));
      shownDb = Math.max(db, shownDb - fallDbPerSecond * seconds);
      peakAge += seconds;
      if (db >= peakDb || peakAge > peakHoldSeconds) [peakDb, peakAge] = [Math.max(db, lowestDb), 0];
      draw();
      if (performance.now() - textUpdatedMs < textIntervalMs) return;
      textUpdatedMs = performance.now();
      const rounded = Math.round(shownDb);
      meter.setAttribute('aria-valuenow', String(rounded));
      meter.setAttribute('aria-valuetext', `${rounded} decibels`);
      number.textContent = `${rounded} dB`.replace('-', '−');
    },
    reset() {
      shownDb = peakDb = lowestDb;
      draw();
      meter.setAttribute('aria-valuenow', String(lowestDb));
      meter.setAttribute('aria-valuetext', 'no sound');
      number.textContent = '– dB';
    },
  };
}

function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(sum / samples.length + 1e-12);
}

function share(db: number): number {
  return Math.max(0, Math.min(1, (db - lowestDb) / (highestDb - lowestDb)));
}
