import { z } from 'zod';
import { eventMessageSchema, sourceSchema } from './stream';

/** What an event that leaves the service says of the sound. */
const soundEventSchema = eventMessageSchema
  .pick({
    event: true,
    eventId: true,
    label: true,
    onsetSeconds: true,
    offsetSeconds: true,
    peakConfidence: true,
  })
  .extend({
    stream: z.uuid().describe('The same for all events of a stream; not the id by which it is resumed'),
    source: sourceSchema.optional(),
    model: z.string().describe('The version that heard it'),
  });
export type SoundEvent = z.infer<typeof soundEventSchema>;

/** CloudEvents 1.0 in JSON: what is queued on disk, posted and published, byte for byte. */
export const cloudEventSchema = z.object({
  specversion: z.literal('1.0'),
  id: z.uuid().describe('The same when an event is delivered again'),
  source: z.string().min(1).describe('`/sources/NAME`, or `/streams/STREAM` where the client gave no name'),
  type: z.enum(['earshot.sound.started', 'earshot.sound.ended']),
  subject: z.string().min(1).describe('The label'),
  time: z.iso.datetime().describe('When it was noticed'),
  datacontenttype: z.literal('application/json'),
  data: soundEventSchema,
});
export type CloudEvent = z.infer<typeof cloudEventSchema>;

export const cloudEventMediaType = 'application/cloudevents+json; charset=utf-8';
