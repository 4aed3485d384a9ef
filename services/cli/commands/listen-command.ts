import type { Readable } from 'node:stream';
import type { EarshotClient } from '../../../shared/client/client';
import type { AudioStream } from '../../../shared/client/stream';
import { bytesPerSecond, type StreamSettings } from '../../../shared/client/stream-contract';
import { captureMicrophone, type Capture } from './capture';
import type { ListenOptions } from '../arguments/command-line';
import type { CommandIo } from '../output/command-io';
import { exitCodes } from '../output/exit-codes';
import { createStreamPrinter, type StreamPrinter } from './stream-printer';

/** Time allowed for the last results after the end of the sound. */
const stopTimeoutMs = 30_000;

/**
 * Sends sound until it ends or Ctrl-C is pressed, and prints the results; then the totals, on standard
 * error.
 * @param stdin whether the sound is standard input; else a microphone is opened
 * @throws AppError unreachable when the service is not there at the start; not-found without a
 *   microphone; the service's own errors
 */
export async function listenCommand(
  client: EarshotClient,
  stdin: boolean,
  options: ListenOptions,
  { input, output, errors, signal }: CommandIo,
): Promise<number> {
  // Fails at once for a wrong address. A connection that is lost later is opened again.
  await client.status();
  const capture = stdin ? captureInput(input, options) : await captureMicrophone(options.device);
  const settings = settingsOf(options, stdin, capture.sampleRate);
  const printer = createStreamPrinter(
    { ...options, bytesPerSecond: bytesPerSecond(settings)! },
    output,
    errors,
  );
  const { onMessage, onState } = printer;
  const stream = client.openStream({ settings, onMessage, onState });
  const closeCapture = (): void => {
    capture.close();
  };
  if (signal.aborted) closeCapture();
  signal.addEventListener('abort', closeCapture);
  try {
    await sendAll(capture, stream, printer, stdin);
    await capture.ended;
    printer.end(await stream.stop(stopTimeoutMs));
    return exitCodes.done;
  } catch (error) {
    if (printer.audioSeconds > 0) printer.end(undefined);
    throw error;
  } finally {
    stream.close();
    closeCapture();
  }
}

/**
 * Sends all audio. Standard input may be faster than the service and is held back; a microphone cannot
 * be.
 */
async function sendAll(
  capture: Capture,
  stream: AudioStream,
  printer: StreamPrinter,
  applyBackpressure: boolean,
): Promise<void> {
  try {
    for await (const chunk of capture.audio as AsyncIterable<Uint8Array>) {
      stream.send(new Uint8Array(chunk));
      printer.sent(chunk.byteLength);
      if (applyBackpressure) await stream.drained();
      if (printer.failure !== undefined) throw printer.failure;
    }
  } catch (error) {
    // Ctrl-C closes standard input while it is read, which raises this error.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

function captureInput(input: Readable, options: ListenOptions): Capture {
  return {
    sampleRate: options['sample-rate']!,
    audio: input,
    ended: Promise.resolve(),
    close: () => {
      input.destroy();
    },
  };
}

/** @returns undefined where the command line names none */
function sourceOf({ name, tag: tags }: ListenOptions): StreamSettings['source'] {
  if (name === undefined) return tags.length === 0 ? undefined : { tags };
  return { name, tags };
}

function settingsOf(options: ListenOptions, stdin: boolean, sampleRate: number): StreamSettings {
  const source = sourceOf(options);
  return {
    ...(source && { source }),
    sampleRate,
    encoding: stdin ? options.encoding : 'pcm_s16le',
    channels: stdin ? options.channels : 1,
    topK: options.top,
    ...(options.hop === undefined ? {} : { hopSeconds: options.hop }),
  };
}
