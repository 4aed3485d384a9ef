import type { EarshotClient } from '../../../../shared/client/client.js';
import type { StreamState } from '../../../../shared/client/stream.js';
import type { StreamMessage } from '../../../../shared/client/stream-contract.js';
import { openMicrophone } from './microphone.js';
import { toPcm16 } from './pcm.js';

export interface SessionHandlers {
  /** Called when the microphone is open, with its sample rate in Hz. */
  readonly onOpen: (sampleRate: number) => void;
  readonly onSamples: (samples: Float32Array, sampleRate: number) => void;
  readonly onMessage: (message: StreamMessage) => void;
  readonly onState: (state: StreamState) => void;
  readonly onMicrophoneLost: () => void;
}

export interface SessionSettings {
  readonly hopSeconds: number;
  readonly topK: number;
}

/** Streams the microphone to the service until stopped. */
export interface ListeningSession {
  /** Closes the microphone and waits for the last results. Never rejects. */
  stop(): Promise<void>;
}

/** Time allowed for the last results after Stop; short, because the server may be gone. */
const stopTimeoutMs = 4000;

/** Opens the microphone and the stream. @throws MicrophoneError with a message for users */
export async function startListening(
  client: EarshotClient,
  settings: SessionSettings,
  handlers: SessionHandlers,
): Promise<ListeningSession> {
  const microphone = await openMicrophone(handlers.onMicrophoneLost);
  const { sampleRate } = microphone;
  handlers.onOpen(sampleRate);
  const stream = client.openStream({
    settings: { encoding: 'pcm_s16le', sampleRate, ...settings },
    onMessage: handlers.onMessage,
    onState: (state) => {
      if (state.kind === 'ended') microphone.close();
      handlers.onState(state);
    },
  });
  microphone.listen((samples) => {
    stream.send(toPcm16(samples));
    handlers.onSamples(samples, sampleRate);
  });
  return {
    async stop() {
      microphone.close();
      // A failure has been reported by onState already.
      await stream.stop(stopTimeoutMs).catch(() => undefined);
    },
  };
}
