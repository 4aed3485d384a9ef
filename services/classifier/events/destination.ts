import type { CloudEvent } from '../../../shared/contracts/cloud-event';
import type { DestinationName } from '../../../shared/observability/event-metrics';

/** What became of an attempt to deliver an event. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** @param afterMs for how long the receiver wants to be left alone */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number }
  /** The receiver will never take this event. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The receiver wants no more events at all. */
  | { readonly kind: 'gone'; readonly reason: string };

/** An event, and the bytes in which it is sent. */
export interface Parcel {
  readonly event: CloudEvent;
  readonly text: string;
}

/** Where events are sent. Reasons are for logs: they hold no part of an address but its host. */
export interface Destination {
  readonly name: DestinationName;
  /** Host and port, for logs. */
  readonly host: string;
  /** Makes one attempt; never rejects. */
  deliver(parcel: Parcel, signal: AbortSignal): Promise<Outcome>;
  /** Called when a receiver that was away may be back, so that nobody waits for the next attempt. */
  onBack: () => void;
  close(): Promise<void>;
}
