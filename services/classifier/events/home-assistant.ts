import { createHash } from 'node:crypto';
import { version } from '../../../package.json';

/** Where Home Assistant looks for entities, unless it is told otherwise. */
const discoveryPrefix = 'homeassistant';

/** A retained message that makes an entity. */
export interface Discovery {
  readonly topic: string;
  readonly payload: object;
}

/** The topic of a source's events; those of streams without a name share one. */
export function eventsTopic(sourceName: string | undefined): string {
  return sourceName === undefined ? 'earshot/streams' : `earshot/sources/${slugOf(sourceName)}`;
}

/**
 * What makes Home Assistant show a source: a device with an entity of the platform `event`, whose
 * attributes are what is known of the sound.
 * @param statusTopic says `online` or `offline`
 */
export function discoveryOf(sourceName: string, statusTopic: string): Discovery {
  const slug = slugOf(sourceName);
  const id = `earshot_${slug}`;
  return {
    topic: `${discoveryPrefix}/event/earshot/${slug}/config`,
    payload: {
      name: 'Sound',
      unique_id: `${id}_sound`,
      state_topic: eventsTopic(sourceName),
      event_types: ['started', 'ended'],
      // The sound's data as attributes, and the type that Home Assistant asks for.
      value_template: '{{ dict(value_json.data, event_type=value_json.data.event) | tojson }}',
      availability: [{ topic: statusTopic, payload_available: 'online', payload_not_available: 'offline' }],
      qos: 1,
      icon: 'mdi:ear-hearing',
      device: {
        identifiers: [id],
        name: sourceName,
        manufacturer: 'Earshot',
        model: 'Sound classifier',
        sw_version: version,
      },
      origin: { name: 'Earshot', sw_version: version },
    },
  };
}

/**
 * A name as topics and ids may hold it: letters, digits, `_` and `-` of ASCII. Names that need a change
 * get a piece of their hash, so that no two become the same.
 */
function slugOf(name: string): string {
  if (/^[\w-]+$/.test(name)) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${name.replaceAll(/[^\w-]+/g, '_')}-${hash}`;
}
