import { randomUUID } from 'node:crypto';
import type { CloudEvent, SoundEvent } from '../../../shared/contracts/cloud-event';

/** Takes an event that may leave the service. It never waits for a receiver, and never throws. */
export type PublishEvent = (sound: SoundEvent) => void;

/** Which events leave. Empty lists let everything pass. */
export interface EventFilter {
  readonly labels: readonly string[];
  /** Names of sources; a stream without a name passes an empty list alone. */
  readonly sources: readonly string[];
  /** The least confidence of the peak so far: an event that grows later leaves when it ends. */
  readonly minConfidence: number;
}

/** Gives the events that pass the filter to each destination's queue, as CloudEvents. */
export function createPublisher(
  { labels, sources, minConfidence }: EventFilter,
  queues: readonly { push(event: CloudEvent): void }[],
): PublishEvent {
  if (queues.length === 0) return () => undefined;
  const [wantedLabels, wantedSources] = [new Set(labels), new Set(sources)];
  return (sound) => {
    if (sound.peakConfidence < minConfidence) return;
    if (wantedLabels.size > 0 && !wantedLabels.has(sound.label)) return;
    if (wantedSources.size > 0 && !wantedSources.has(sound.source?.name ?? '')) return;
    const event = toCloudEvent(sound);
    for (const queue of queues) queue.push(event);
  };
}

function toCloudEvent(data: SoundEvent): CloudEvent {
  const name = data.source?.name;
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: name === undefined ? `/streams/${data.stream}` : `/sources/${encodeURIComponent(name)}`,
    type: `earshot.sound.${data.event}`,
    subject: data.label,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data,
  };
}
