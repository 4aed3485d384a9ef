import type { Manifest } from '../../../../shared/contracts/manifest';
import type { StartMessage } from '../../../../shared/contracts/stream';
import { windowFormat } from '../../../../shared/contracts/members';
import { AppError } from '../../../../shared/errors/app-error';

/**
 * The length of a stream's windows in seconds.
 * @throws AppError malformed-request when the model cannot take it
 */
export function fitWindow(start: StartMessage, manifest: Manifest): number {
  const { windowSeconds: maxSeconds } = windowFormat(manifest);
  const windowSeconds = start.windowSeconds ?? maxSeconds;
  if (windowSeconds > maxSeconds) {
    const detail = `windowSeconds is ${windowSeconds}, and the model hears ${maxSeconds} s at once; that is the most.`;
    throw new AppError('malformed-request', detail);
  }
  if (start.hopSeconds > windowSeconds) {
    const detail = `hopSeconds is ${start.hopSeconds}: above the window’s ${windowSeconds} s parts of the sound would go unheard.`;
    throw new AppError('malformed-request', detail);
  }
  return windowSeconds;
}

/**
 * The length of a stream's windows, in seconds, after a change of the model: the present one, or the new
 * model's if that is shorter.
 * @throws AppError conflict when it is shorter than the hop, so that parts would go unheard
 */
export function refitWindow(
  { hopSeconds }: StartMessage,
  currentSeconds: number,
  manifest: Manifest,
): number {
  const windowSeconds = Math.min(currentSeconds, windowFormat(manifest).windowSeconds);
  if (hopSeconds <= windowSeconds) return windowSeconds;
  const detail = `Another model judges now, and hears ${windowSeconds} s at once: start again with a shorter hop.`;
  throw new AppError('conflict', detail);
}
