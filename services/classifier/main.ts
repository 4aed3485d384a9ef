import { writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { leaveProcess } from '../../shared/compute/kernels/kernels-addon';
import { AppError } from '../../shared/errors/app-error';
import { captureOutput } from '../../shared/observability/capture-output';
import { createLogger, type Logger } from '../../shared/observability/logger';
import { onStopSignal } from '../../shared/runtime/processes/stop-signals';
import { exitProcess } from '../../shared/runtime/threads/exit-process';
import { compose, type Service } from './compose';
import { loadConfig, type Config } from './config';
import { drain } from './drain';

/** The codes of sysexits.h. */
const exitCodes = { unavailable: 69, software: 70, configuration: 78 } as const;

/**
 * What is left to threads, once everything was finished or given up: they look every few milliseconds
 * whether they shall end.
 */
const threadsPatienceMs = 2_000;

let ending = false;

/**
 * The first code counts: a signal that comes while threads are ending, which is bounded, changes
 * nothing.
 */
function exit(code: number): void {
  if (ending) return;
  ending = true;
  void exitProcess(code, threadsPatienceMs, leaveProcess);
}

function main(): void {
  const config = orExit(() => loadConfig());
  const logger = createLogger(config.logLevel);
  captureOutput(logger);
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'a defect: stopping');
    exit(exitCodes.software);
  });
  const service = orExit(() => compose(config, logger));
  stopOnSignals(service, config, logger);
  listen(service, config, logger);
  service.started.catch((error: unknown) => {
    const { code, message } = AppError.from(error);
    logger.fatal(
      { code, err: code === 'internal' ? error : undefined },
      `No model can be served: ${message}`,
    );
    exit(exitCodes.unavailable);
  });
}

/** What is wrong with the configuration is said before anything starts. */
function orExit<T>(configure: () => T): T {
  try {
    return configure();
  } catch (error) {
    if (AppError.from(error).code !== 'invalid-configuration') throw error;
    // For whoever starts it, past the log.
    writeSync(process.stderr.fd, `${AppError.from(error).message}\n`);
    process.exit(exitCodes.configuration);
  }
}

/** Listens before the model is loaded: probes get their answer, and `/readyz` says `starting`. */
function listen({ server, adminKey }: Service, { host, port }: Config, logger: Logger): void {
  server.once('error', (error: NodeJS.ErrnoException) => {
    const why =
      error.code === 'EADDRINUSE'
        ? `Port ${port} on ${host} is in use: stop what listens there, or set PORT to another.`
        : `Cannot listen on ${host}:${port}: ${error.message}`;
    logger.fatal(why);
    exit(exitCodes.unavailable);
  });
  server.listen(port, host, () => {
    const place = server.address() as AddressInfo;
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${place.port}`;
    // Whoever reads that it listens finds the key in its place.
    void (adminKey?.publish(place) ?? Promise.resolve()).then(() => {
      logger.info({ url }, `listening on ${url}; open it in a browser, or ${url}/docs`);
    });
  });
}

/** The first signal drains; a later one does not wait. */
function stopOnSignals(service: Service, { drainMs }: Config, logger: Logger): void {
  onStopSignal((signal) => {
    logger.info(
      { signal, accepted: service.admission.unanswered, streams: service.admission.streams },
      'stopping: finishing what was accepted',
    );
    // While the port is still this process's: no later service's key can be meant.
    const withdrawn = service.adminKey?.withdraw();
    void Promise.all([drain(service, drainMs), withdrawn]).then(([inTime]) => {
      if (!inTime)
        logger.error(
          { unanswered: service.admission.unanswered, streams: service.admission.streams },
          'gave up on unfinished requests',
        );
      else logger.info('stopped');
      exit(inTime ? 0 : 1);
    });
  }, exit);
}

main();
