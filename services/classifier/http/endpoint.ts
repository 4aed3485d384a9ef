import type { Express, RequestHandler } from 'express';
import { AppError } from '../../../shared/errors/app-error';

type Handlers = Partial<Record<'get' | 'post' | 'put' | 'delete', RequestHandler | RequestHandler[]>>;

/** Puts handlers at a path and answers every other method with 405 and what is allowed. */
export function endpoint(app: Express, path: string, handlers: Handlers): void {
  const route = app.route(path);
  const allowed = ['OPTIONS'];
  if (handlers.get !== undefined) {
    route.get(handlers.get);
    allowed.push('GET', 'HEAD');
  }
  if (handlers.post !== undefined) {
    route.post(handlers.post);
    allowed.push('POST');
  }
  for (const method of ['put', 'delete'] as const) {
    const handler = handlers[method];
    if (handler === undefined) continue;
    route[method](handler);
    allowed.push(method.toUpperCase());
  }
  const allow = allowed.sort().join(', ');
  route.options((_req, res) => {
    res.setHeader('Allow', allow);
    res.status(204).end();
  });
  route.all((req, res) => {
    res.setHeader('Allow', allow);
    throw new AppError('method-not-allowed', `${req.method} does nothing here; allowed: ${allow}.`);
  });
}
