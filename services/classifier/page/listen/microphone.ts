/** An open microphone. */
export interface Microphone {
  /** Hz. */
  readonly sampleRate: number;
  /** The browser's name for it. */
  readonly name: string;
  /**
   * Starts to deliver samples, mono in [−1, 1], including those captured since the microphone was
   * opened.
   */
  listen(onSamples: (samples: Float32Array) => void): void;
  close(): void;
}

/** Messages that tell users what to do, by the name of the browser's error. */
const sentences: Readonly<Record<string, string>> = {
  NotAllowedError:
    'The browser does not let this page use the microphone. Allow it beside the address, then press Listen again.',
  NotFoundError: 'No microphone was found. Plug one in, then press Listen again.',
  NotReadableError:
    'The microphone is in use by another program, or switched off. Free it, then press Listen again.',
  OverconstrainedError: 'This microphone cannot be used for listening. Choose another one in the browser.',
};

/** An error whose message is meant for users. */
export class MicrophoneError extends Error {
  override readonly name = 'MicrophoneError';
}

/**
 * Opens the default microphone. The browser's filters for telephony are off, as they would remove sounds
 * other than speech.
 * @param onLost called when the microphone was unplugged or its permission was withdrawn
 * @throws MicrophoneError with a message for users
 */
export async function openMicrophone(onLost: () => void): Promise<Microphone> {
  const media = await askForMicrophone();
  const context = new AudioContext();
  const close = (): void => {
    for (const track of media.getTracks()) track.stop();
    if (context.state !== 'closed') void context.close();
  };
  try {
    const capture = await startCapture(context, media);
    const [track] = media.getAudioTracks();
    track?.addEventListener('ended', onLost, { once: true });
    return {
      sampleRate: context.sampleRate,
      name: track?.label ?? '',
      listen: (onSamples) => {
        capture.onmessage = ({ data }: MessageEvent<Float32Array>) => {
          onSamples(data);
        };
      },
      close,
    };
  } catch (cause) {
    close();
    if (cause instanceof MicrophoneError) throw cause;
    throw new MicrophoneError('The browser could not start listening. Reload the page and try again.', {
      cause,
    });
  }
}

async function startCapture(context: AudioContext, media: MediaStream): Promise<MessagePort> {
  await context.audioWorklet.addModule(new URL('capture-worklet.js', import.meta.url));
  const capture = new AudioWorkletNode(context, 'capture', { numberOfInputs: 1, numberOfOutputs: 1 });
  // A browser may skip nodes that are not connected to the destination; this one outputs silence.
  context.createMediaStreamSource(media).connect(capture).connect(context.destination);
  await resume(context);
  return capture.port;
}

/** Time allowed to start the audio clock; Firefox waits forever where there is no audio output. */
const timeoutMs = 8000;

async function resume(context: AudioContext): Promise<void> {
  await Promise.race([context.resume(), new Promise((done) => setTimeout(done, timeoutMs))]);
  if (context.state === 'running') return;
  throw new MicrophoneError(
    'The browser does not start its sound system. Plug in a loudspeaker or headphones (Firefox needs an output), then press Listen again.',
  );
}

async function askForMicrophone(): Promise<MediaStream> {
  // Browsers offer the microphone only to pages that were transferred securely.
  if (!window.isSecureContext || !('mediaDevices' in navigator)) {
    throw new MicrophoneError(
      'Browsers give the microphone only to pages that came over https, or from this very machine (localhost).',
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (cause) {
    const words = sentences[(cause as DOMException).name] ?? 'The microphone could not be opened.';
    throw new MicrophoneError(words, { cause });
  }
}
