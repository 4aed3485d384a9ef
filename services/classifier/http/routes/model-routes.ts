import express, { type Express, type Request, type RequestHandler } from 'express';
import {
  promoteRequestSchema,
  shadowRequestSchema,
  type ServingChange,
} from '../../../../shared/contracts/service-status';
import type { AssertAdmin } from '../../access/admin';
import type { DescribeModels } from '../../model/describe-models';
import type { ModelAdmin } from '../../model/model-admin';
import { endpoint } from '../endpoint';
import { parseInput } from '../parse-input';

export interface ModelRoutesDeps {
  readonly models: DescribeModels;
  readonly modelAdmin: ModelAdmin;
  readonly assertAdmin: AssertAdmin;
}

export const modelRoutePaths = [
  '/labels',
  '/models',
  '/models/:id',
  ...['promote', 'rollback', 'pin', 'shadow'].map((verb) => `/models/:id/${verb}`),
];

/** A body of these routes is a few words. */
const maxBodyBytes = '16kb';

/** `/labels`; `/models` and below: what there is, and the verbs that change what serves. */
export function modelRoutes(app: Express, { models, modelAdmin, assertAdmin }: ModelRoutesDeps): void {
  const json = express.json({ limit: maxBodyBytes, type: () => true });
  /** Whoever may not ask is told before their body is read. */
  const change = (
    make: (id: string, by: string, body: unknown) => Promise<ServingChange>,
  ): RequestHandler[] => [
    (req, res, next) => {
      res.locals['by'] = assertAdmin(req).name;
      next();
    },
    json,
    async (req, res) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json(await make(idOf(req), res.locals['by'] as string, req.body));
    },
  ];
  endpoint(app, '/labels', {
    get: (_req, res) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json(models.labels());
    },
  });
  endpoint(app, '/models', {
    get: async (_req, res) => {
      res.json(await models.list());
    },
  });
  endpoint(app, '/models/:id', {
    get: async (req, res) => {
      res.json(await models.details(idOf(req)));
    },
  });
  endpoint(app, '/models/:id/promote', {
    post: change((id, by, body) =>
      modelAdmin.promote(id, parseInput(promoteRequestSchema, body ?? {}, 'body').waive, by),
    ),
  });
  endpoint(app, '/models/:id/rollback', { post: change((id, by) => modelAdmin.rollBack(id, by)) });
  endpoint(app, '/models/:id/pin', {
    post: change((id, by) => modelAdmin.pin(id, by)),
    delete: change((id, by) => modelAdmin.unpin(id, by)),
  });
  endpoint(app, '/models/:id/shadow', {
    post: change((id, by, body) =>
      modelAdmin.shadow(id, parseInput(shadowRequestSchema, body ?? {}, 'body').share, by),
    ),
    delete: change((id, by) => modelAdmin.unshadow(id, by)),
  });
}

function idOf({ params }: Request): string {
  return String(params['id']);
}
