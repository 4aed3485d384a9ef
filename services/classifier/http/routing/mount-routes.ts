import { promisify } from 'node:util';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import { AppError } from '../../../../shared/errors/app-error';
import type { AssertAdmin } from '../../access/admin';
import { anyone, type Caller, type Identify } from '../../access/api-keys';
import { parseInput } from './parse-input';
import { isOperation, type AnyOperation, type Call, type Route } from './route';

/** What admits a call to a route. */
export interface AdmissionDeps {
  readonly identify: Identify;
  readonly assertAdmin: AssertAdmin;
  /** Aborts, with an error that says so, when the service begins to shut down. */
  readonly admission: { readonly closing: AbortSignal };
}

/** The paths of routes, each once. */
export function pathsOf(routes: readonly { readonly path: string }[]): string[] {
  return [...new Set(routes.map(({ path }) => path))];
}

/** The methods that routes answer, as the header `Allow` lists them, `OPTIONS` apart. */
export function methodsOf(routes: readonly { readonly method: string }[]): string[] {
  const methods = new Set(routes.map(({ method }) => method.toUpperCase()));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}

/** Makes Express routes; every other method of a path is answered with 405 and what is allowed. */
export function mountRoutes<Deps extends AdmissionDeps>(
  app: Express,
  routes: readonly Route<Deps>[],
  deps: Deps,
): void {
  for (const path of pathsOf(routes)) {
    const here = routes.filter((route) => route.path === path);
    const allow = [...methodsOf(here), 'OPTIONS'].sort().join(', ');
    const target = app.route(path);
    for (const route of here) target[route.method](handlerOf(route, deps));
    target.options((_req, res) => {
      res.setHeader('Allow', allow);
      res.status(204).end();
    });
    target.all((req, res) => {
      res.setHeader('Allow', allow);
      throw new AppError('method-not-allowed', `${req.method} does nothing here; allowed: ${allow}.`);
    });
  }
}

function handlerOf<Deps extends AdmissionDeps>(route: Route<Deps>, deps: Deps): RequestHandler {
  const handle = route.handle(deps);
  if (!isOperation(route)) {
    return (req, res) => handle(toCall(req, res, anyone));
  }
  const readBody = bodyReader(route);
  return async (req, res) => {
    // Whoever may not ask is told before their body is read.
    const caller = admit(route, req, deps);
    const query = route.query === undefined ? undefined : parseInput(route.query, req.query, 'query');
    const body = await readBody(req, res);
    await handle(toCall(req, res, caller, query, body));
  };
}

function admit<Deps extends AdmissionDeps>(
  { access, whileOpen }: AnyOperation<Deps>,
  req: Request,
  { identify, assertAdmin, admission }: AdmissionDeps,
): Caller {
  const caller = access === 'anyone' ? anyone : access === 'key' ? identify(req.headers) : assertAdmin(req);
  if (whileOpen === true) admission.closing.throwIfAborted();
  return caller;
}

function bodyReader<Deps>({ body }: AnyOperation<Deps>): (req: Request, res: Response) => Promise<unknown> {
  if (body === undefined || !('json' in body)) return () => Promise.resolve(undefined);
  const { required, checked, maxBytes } = body;
  const type = required ? 'application/json' : (): boolean => true;
  const parse = promisify<Request, Response>(express.json({ limit: maxBytes, type }));
  return async (req, res) => {
    if (required && req.is('application/json') === false) {
      throw new AppError('unsupported-media', 'Send it as JSON: Content-Type: application/json.');
    }
    await parse(req, res);
    const sent: unknown = req.body;
    return parseInput<z.ZodType>(checked, required ? sent : (sent ?? {}), 'body');
  };
}

/** The call of a route whose handler alone knows the types of its query and body. */
function toCall(
  req: Request,
  res: Response,
  caller: Caller,
  query?: unknown,
  body?: unknown,
): Call<never, never> {
  const param = (name: string): string => String(req.params[name]);
  return { req, res, caller, query: query as never, body: body as never, param };
}
