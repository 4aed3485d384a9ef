import type { EarshotClient } from '../../../../shared/client/client.js';
import type { StreamState } from '../../../../shared/client/stream.js';
import type { StreamMessage } from '../../../../shared/client/stream-contract.js';
import { openMicrophone } from './microphone.js';
import { toPcm16 } from './pcm.js';

export interface ListeningHandlers {
  /** The microphone is open; what comes has this rate in Hz. */
  readonly onOpen: (sampleRate: number) => void;
  readonly onSamples: (samples: Float32Array, sampleRate: number) => void;
  readonly onMessage: (message: StreamMessage) => void;
  readonly onState: (state: StreamState) => void;
  readonly onMicrophoneLost: () => void;
}

export interface ListeningSettings {
  readonly hopSeconds: number;
  readonly topK: number;
}

/** Microphone in, messages out, until closed. */
export interface Listening {
  /** Closes the microphone, waits for the last answers. */
  stop(): Promise<void>;
}

/** How long the last answers may take; whoever pressed Stop does not want to wait for a lost server. */
const lastAnswersMs = 4000;

/** @throws MicrophoneError, in words */
export async function startListening(
  client: EarshotClient,
  settings: ListeningSettings,
  handlers: ListeningHandlers,
): Promise<Listening> {
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
      // Why it ended otherwise, the state has told.
      await stream.stop(lastAnswersMs).catch(() => undefined);
    },
  };
}
