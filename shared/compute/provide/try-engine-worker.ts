import { AppError } from '../../errors/app-error';
import type { EngineChoice } from './choose-engine';
import { loadEngine } from './load-engine';

/** `node try-engine-worker.js CHOICE`: whether an engine loads (try-engine.ts). */
loadEngine(JSON.parse(process.argv[2]!) as EngineChoice).catch((error: unknown) => {
  process.stderr.write(`${AppError.from(error).message}\n`);
  process.exitCode = 1;
});
