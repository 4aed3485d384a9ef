import { randomUUID } from 'node:crypto';
import type { CloudEvent } from '../../shared/contracts/cloud-event';

/** An event as the service makes it, of a source of this name. */
export function sampleEvent(name: string, label = 'dog', time = new Date().toISOString()): CloudEvent {
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: `/sources/${encodeURIComponent(name)}`,
    type: 'earshot.sound.started',
    subject: label,
    time,
    datacontenttype: 'application/json',
    data: {
      event: 'started',
      eventId: 1,
      label,
      onsetSeconds: 1.5,
      offsetSeconds: null,
      peakConfidence: 0.9,
      stream: randomUUID(),
      source: { name, tags: ['floor 1'] },
      model: 'cnn-test-1',
    },
  };
}
