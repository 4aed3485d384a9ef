import type { Clock } from '../../shared/runtime/clock';

/** A clock that moves only when told to. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; action: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  setTimer(action: () => void, delayMs: number): () => void {
    const timer = { atMs: this.#nowMs + delayMs, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves on by `ms`, running due timers in order, and lets promises settle. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await settled();
      const next = this.#timers.filter((t) => t.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = next.atMs;
      next.action();
    }
    this.#nowMs = untilMs;
    await settled();
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }
}

/** Resolves after everything that was already resolvable has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when `condition` holds, looking again after each turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settled();
}
