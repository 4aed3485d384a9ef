import type { Classification } from '../contracts/classification.js';
import type { Labels, ModelDetails, ModelList, ServiceStatus } from '../contracts/service-status.js';
import { ask, askStatus } from './ask.js';
import type { ClientOptions } from './options.js';
import { openStream, type AudioStream, type StreamOptions } from './stream.js';

export interface ClassifyOptions {
  /** Classes to name, of the clip and of each window; the service's default is 5. */
  readonly topK?: number | undefined;
  /** Step between two windows; half a window unless given. */
  readonly hopSeconds?: number | undefined;
  /** How many of AudioSet's tags to name where the model has them; the service's default is 5. */
  readonly tags?: number | undefined;
  /** Whether to name each sound with its onset and offset. */
  readonly events?: boolean;
  /** With `events`, by class: the score at which a sound of it starts. */
  readonly thresholds?: Readonly<Record<string, number>> | undefined;
  readonly signal?: AbortSignal;
}

export interface EarshotClient {
  /**
   * What a recording holds. Any WAV, FLAC, MP3, Ogg Vorbis or Opus file will do.
   * @throws AppError with the service's code and words; unreachable when there is no service
   */
  classify(recording: Blob | Uint8Array<ArrayBuffer>, options?: ClassifyOptions): Promise<Classification>;
  /** Which versions the service has, and which one answers. @throws AppError as classify */
  models(options?: { readonly signal?: AbortSignal }): Promise<ModelList>;
  /** A version, its figures and what the gate decided. @throws AppError as classify; not-found */
  model(version: string): Promise<ModelDetails>;
  /** What answers name: classes, and AudioSet's tags. @throws AppError as classify */
  labels(): Promise<Labels>;
  /** Whether recordings are taken; an answer also when they are not. @throws AppError unreachable */
  status(): Promise<ServiceStatus>;
  /** Audio in, predictions and events out, until stopped. */
  openStream(stream: StreamOptions): AudioStream;
}

/** Everything the service does, typed; runs in a browser and in Node. */
export function createClient(options: ClientOptions): EarshotClient {
  return {
    async classify(recording, { topK, hopSeconds, tags, events, thresholds, signal } = {}) {
      const query = new URLSearchParams();
      if (topK !== undefined) query.set('topK', String(topK));
      if (hopSeconds !== undefined) query.set('hopSeconds', String(hopSeconds));
      if (tags !== undefined) query.set('tags', String(tags));
      if (events !== undefined) query.set('events', String(events));
      if (thresholds !== undefined) query.set('thresholds', JSON.stringify(thresholds));
      return (await ask(options, `classify?${query.toString()}`, {
        method: 'POST',
        body: recording,
        headers: { Accept: 'application/json', 'Content-Type': 'application/octet-stream' },
        ...(signal === undefined ? {} : { signal }),
      })) as Classification;
    },
    async models({ signal } = {}) {
      return (await ask(options, 'models', signal === undefined ? {} : { signal })) as ModelList;
    },
    model: async (version) => (await ask(options, `models/${encodeURIComponent(version)}`)) as ModelDetails,
    labels: async () => (await ask(options, 'labels')) as Labels,
    status: () => askStatus(options),
    openStream: (stream) => openStream(options, stream),
  };
}
