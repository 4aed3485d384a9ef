/** An open microphone. */
export interface Microphone {
  /** Hz. */
  readonly sampleRate: number;
  /** What it is called. */
  readonly name: string;
  /** From now on, and with what came since it was opened: mono, in [−1, 1]. */
  listen(onSamples: (samples: Float32Array) => void): void;
  close(): void;
}

/** The browser's own name for why there is no microphone, said in words that tell what to do. */
const sentences: Readonly<Record<string, string>> = {
  NotAllowedError:
    'The browser does not let this page use the microphone. Allow it beside the address, then press Listen again.',
  NotFoundError: 'No microphone was found. Plug one in, then press Listen again.',
  NotReadableError:
    'The microphone is in use by another program, or switched off. Free it, then press Listen again.',
  OverconstrainedError: 'This microphone cannot be used for listening. Choose another one in the browser.',
};

/** A failure that has its words already. */
export class MicrophoneError extends Error {
  override readonly name = 'MicrophoneError';
}

/**
 * Opens the default microphone, without the filters that telephony puts in: they would remove what is to be heard.
 * @param onLost it was unplugged, or its permission was taken back
 * @throws MicrophoneError, in words
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
  // A node that leads nowhere may be left out; this one plays nothing.
  context.createMediaStreamSource(media).connect(capture).connect(context.destination);
  await resume(context);
  return capture.port;
}

/** What a browser needs to start its clock; Firefox waits for ever where nothing can play sound. */
const timeoutMs = 8000;

async function resume(context: AudioContext): Promise<void> {
  await Promise.race([context.resume(), new Promise((done) => setTimeout(done, timeoutMs))]);
  if (context.state === 'running') return;
  throw new MicrophoneError(
    'The browser does not start its sound system. Plug in a loudspeaker or headphones (Firefox needs an output), then press Listen again.',
  );
}

async function askForMicrophone(): Promise<MediaStream> {
  // Browsers hide microphones from pages that others on the way could have changed.
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
