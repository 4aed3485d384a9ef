import type { Server } from 'node:http';
import { createFilterDesigner } from '../../shared/signal/filter-designer';
import { createContainerThread } from '../../shared/decode/stream/container-thread';
import { systemClock } from '../../shared/runtime/clock';
import type { EventLoopQueue } from '../../shared/batching/event-loop-queue';
import type { KernelsChoice } from '../../shared/compute/kernels/kernels-addon';
import type { Logger } from '../../shared/observability/logger';
import type { Metrics } from '../../shared/observability/metrics';
import type { Identify } from './access/api-keys';
import type { CallerIdOf } from './access/caller-id';
import type { OriginRules } from './access/origin';
import type { Config } from './config';
import type { PublishEvent } from './events/event-publisher';
import type { Admission } from './access/admission';
import type { WindowObserver } from './model/judge-windows';
import type { Lease, ServedModel } from './model/loaded-model';
import { SilencePace } from './stream/sound/silence-pace';
import { StreamRegistry } from './stream/stream-registry';
import { createStreamServer, type StreamServer } from './stream/stream-server';

/** What streams may do; most of it is told to clients in `ready`. */
export const streamTuning = {
  messageBytes: 1024 * 1024,
  bufferedSeconds: 10,
  resumeSeconds: 30,
  idleSeconds: 60,
  maxLagMs: 2000,
  pingMs: 20_000,
  startMs: 10_000,
};

export interface StreamsDeps {
  readonly turns: EventLoopQueue;
  readonly lease: () => Lease;
  /** The model that answers now; undefined until one does. */
  readonly model: () => ServedModel | undefined;
  /** The native kernels, once they are known. */
  readonly kernels?: () => KernelsChoice | undefined;
  readonly observer: WindowObserver;
  readonly identify: Identify;
  readonly callerIdOf: CallerIdOf;
  readonly origins: OriginRules;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly publish: PublishEvent;
}

export interface Streams {
  /** Whether open streams use all of the engine that is for them, and this caller half of it. */
  readonly isFull: (caller: string) => boolean;
  /** Puts `/stream` on a server. */
  serve(server: Server, admission: Admission): StreamServer;
  close(): Promise<void>;
}

/** Everything behind `/stream`. */
export function composeStreams(
  config: Pick<Config, 'maxStreams' | 'streamShare'>,
  deps: StreamsDeps,
  tuning = streamTuning,
): Streams {
  const { lease, model, kernels, observer, identify, callerIdOf, origins, metrics, logger } = deps;
  const containers = createContainerThread();
  const filters = createFilterDesigner();
  const engineMs = (): number => model()?.batcher.msPerItem ?? 0;
  const registry = new StreamRegistry({
    lease,
    ...(kernels && { kernels }),
    observer,
    containers,
    filters,
    turns: deps.turns,
    silencePace: new SilencePace(systemClock, engineMs),
    metrics,
    publish: deps.publish,
    clock: systemClock,
    limits: tuning,
    maxDetached: config.maxStreams,
    maxWindowsPerSecond: () => {
      const msPerItem = engineMs();
      return msPerItem === 0 ? undefined : (config.streamShare * 1000) / msPerItem;
    },
  });
  return {
    isFull: (caller) => registry.isFull(caller),
    serve(server, admission) {
      metrics.watch(
        'earshot_stream_detached',
        'Streams whose connection was lost and that wait for their client.',
        () => registry.size - admission.streams,
      );
      return createStreamServer(server, {
        registry,
        admission,
        identify,
        callerIdOf,
        metrics,
        logger,
        origins,
        clock: systemClock,
        maxMessageBytes: tuning.messageBytes,
        pingMs: tuning.pingMs,
        startMs: tuning.startMs,
        idleMs: tuning.idleSeconds * 1000,
      });
    },
    async close() {
      await Promise.all([containers.close(), filters.close()]);
    },
  };
}
