import type { Logger } from '../../shared/observability/logger';
import type { Metrics } from '../../shared/observability/metrics';
import { systemClock } from '../../shared/runtime/clock';
import { createAssertAdmin, type AssertAdmin } from './access/admin';
import { createAdminKey, type AdminKey } from './access/admin-key';
import { Gate } from './access/admission';
import { createIdentify, readApiKeys, type Identify } from './access/api-keys';
import { createCallerIdOf, type CallerIdOf } from './access/caller-id';
import { createOriginRules, isLoopbackAddress, type OriginRules } from './access/origin';
import type { Models } from './compose-models';
import type { Streams } from './compose-streams';
import type { Config } from './config';
import { watchLoad } from './watch-load';

/** Who may come in. */
interface Access {
  readonly adminKey: AdminKey | undefined;
  readonly identify: Identify;
  readonly assertAdmin: AssertAdmin;
  readonly callerIdOf: CallerIdOf;
  readonly origins: OriginRules;
}

export function composeAccess(config: Config, logger: Logger): Access {
  const apiKeys = readApiKeys(config.apiKeysFile);
  const hasAdmin = apiKeys?.some(({ admin }) => admin) ?? false;
  const adminKey = hasAdmin ? undefined : createAdminKey(config.adminKeyFolders, logger);
  const identify = createIdentify(apiKeys, systemClock, adminKey?.sha256);
  const origins = createOriginRules({ ...config, isLoopback: isLoopbackAddress(config.host) });
  return {
    adminKey,
    identify,
    assertAdmin: createAssertAdmin(identify, origins),
    callerIdOf: createCallerIdOf(config.trustedProxies),
    origins,
  };
}

interface GateDeps {
  readonly metrics: Metrics;
  readonly host: Models['host'];
  readonly streams: Streams;
}

/** Lets in what there is room for; its load is a metric. */
export function createGate(config: Config, { metrics, host, streams }: GateDeps): Gate {
  const gate = new Gate({
    maxRequests: config.maxConcurrentRequests,
    maxStreams: config.maxStreams,
    streamsFull: streams.isFull,
    engine: () => host.state,
    queue: (caller) => host.queueFor(caller),
    maxWaitMs: config.requestDeadlineMs,
    clock: systemClock,
    onRefused: (cause) => {
      metrics.overloads.inc({ cause });
    },
  });
  watchLoad(metrics, gate, () => host.queuedWindows);
  return gate;
}
