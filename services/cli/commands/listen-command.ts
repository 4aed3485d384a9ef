import type { Readable } from 'node:stream';
import type { EarshotClient } from '../../../shared/client/client';
import type { AudioStream } from '../../../shared/client/stream';
import { bytesPerSecond, type StreamSettings } from '../../../shared/client/stream-contract';
import { captureMicrophone, type Capture } from './capture';
import type { ListenOptions } from '../arguments/command-line';
import type { CommandIo } from '../output/command-io';
import { exitCodes } from '../output/exit-codes';
import { createHearing, type Hearing } from './hearing';

/** How long the last answers may take. */
const lastAnswersMs = 30_000;

/**
 * Sends sound until it ends or Ctrl-C, and prints what is heard; then the totals, on standard error.
 * @param stdin the sound is standard input, else a microphone
 * @throws AppError unreachable when there is no service to begin with; what the service refuses; not-found for a microphone
 */
export async function listenCommand(
  client: EarshotClient,
  stdin: boolean,
  options: ListenOptions,
  { input, output, errors, signal }: CommandIo,
): Promise<number> {
  // A wrong address is said at once; later the connection may come and go.
  await client.status();
  const capture = stdin ? captureInput(input, options) : await captureMicrophone(options.device);
  const settings = settingsOf(options, stdin, capture.sampleRate);
  const hearing = createHearing({ ...options, bytesPerSecond: bytesPerSecond(settings)! }, output, errors);
  const { onMessage, onState } = hearing;
  const stream = client.openStream({ settings, onMessage, onState });
  const closeCapture = (): void => {
    capture.close();
  };
  if (signal.aborted) closeCapture();
  signal.addEventListener('abort', closeCapture);
  try {
    await sendAll(capture, stream, hearing, stdin);
    await capture.ended;
    hearing.end(await stream.stop(lastAnswersMs));
    return exitCodes.done;
  } catch (error) {
    if (hearing.audioSeconds > 0) hearing.end(undefined);
    throw error;
  } finally {
    stream.close();
    closeCapture();
  }
}

/** A file may come faster than it is judged, and is held back; a microphone cannot be. */
async function sendAll(
  capture: Capture,
  stream: AudioStream,
  hearing: Hearing,
  holdBack: boolean,
): Promise<void> {
  try {
    for await (const chunk of capture.audio as AsyncIterable<Uint8Array>) {
      stream.send(new Uint8Array(chunk));
      hearing.sent(chunk.byteLength);
      if (holdBack) await stream.drained();
      if (hearing.failure !== undefined) throw hearing.failure;
    }
  } catch (error) {
    // Ctrl-C closes standard input in the middle of reading it.
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

function settingsOf(options: ListenOptions, stdin: boolean, sampleRate: number): StreamSettings {
  return {
    sampleRate,
    encoding: stdin ? options.encoding : 'pcm_s16le',
    channels: stdin ? options.channels : 1,
    topK: options.top,
    ...(options.hop === undefined ? {} : { hopSeconds: options.hop }),
  };
}
