import {
  labelsSchema,
  modelDetailsSchema,
  modelListSchema,
  promoteRequestSchema,
  servingChangeSchema,
  shadowRequestSchema,
  type ServingChange,
} from '../../../../shared/contracts/service-status';
import type { ErrorCode } from '../../../../shared/errors/app-error';
import type { DescribeModels } from '../../model/describe-models';
import type { ModelAdmin } from '../../model/model-admin';
import { operation, type Answer, type Call, type Handle } from '../routing/route';

export interface ModelRoutesDeps {
  readonly models: DescribeModels;
  readonly modelAdmin: ModelAdmin;
}

/** A body of these routes is a few words. */
const maxBytes = 16 * 1024;

const labels = operation({
  method: 'get',
  path: '/labels',
  id: 'labels',
  tag: 'operation',
  summary: 'What answers name: classes, and AudioSet’s tags',
  access: 'anyone',
  answers: { 200: { json: { name: 'Labels', schema: labelsSchema } } },
  handle: ({ models }: ModelRoutesDeps) => {
    return ({ res }) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json(models.labels());
    };
  },
});

const list = operation({
  method: 'get',
  path: '/models',
  id: 'listModels',
  tag: 'operation',
  summary: 'The versions in the registry',
  access: 'anyone',
  answers: { 200: { json: { name: 'ModelList', schema: modelListSchema } } },
  handle: ({ models }: ModelRoutesDeps) => {
    return async ({ res }) => {
      res.json(await models.list());
    };
  },
});

const params = { id: 'A version, as `GET /models` names it' };

const details = operation({
  method: 'get',
  path: '/models/:id',
  id: 'modelDetails',
  tag: 'operation',
  summary: 'A version, its figures and what the gate decided',
  access: 'anyone',
  params,
  answers: { 200: { json: { name: 'ModelDetails', schema: modelDetailsSchema } } },
  errors: ['not-found'],
  handle: ({ models }: ModelRoutesDeps) => {
    return async ({ res, param }) => {
      res.json(await models.details(param('id')));
    };
  },
});

/** What the verbs that change what serves have in common. */
const change = {
  tag: 'operation',
  description: 'It holds for every instance on the same folder of models.',
  access: 'admin',
  params,
} as const;
const changed: Readonly<Record<number, Answer>> = {
  200: {
    description: 'Changed; what this instance serves now is in it',
    json: { name: 'ServingChange', schema: servingChangeSchema },
  },
};
const changeErrors: readonly ErrorCode[] = [
  'malformed-request',
  'not-found',
  'conflict',
  'engine-unavailable',
  'storage-full',
];

/** @param make changes what serves, in the name of who asks */
function changing<Body>(
  make: (admin: ModelAdmin, id: string, by: string, body: Body) => Promise<ServingChange>,
): (deps: ModelRoutesDeps) => Handle<unknown, Body> {
  return ({ modelAdmin }) =>
    async ({ res, caller, body, param }: Call<unknown, Body>) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json(await make(modelAdmin, param('id'), caller.name, body));
    };
}

const promote = operation({
  ...change,
  method: 'post',
  path: '/models/:id/promote',
  id: 'promoteModel',
  summary:
    'Make it the version that serves, if the gate lets it; a refusal is a 409 whose `decision` has every figure',
  body: {
    json: 'PromoteRequest',
    shown: promoteRequestSchema,
    checked: promoteRequestSchema,
    required: false,
    maxBytes,
  },
  answers: changed,
  errors: changeErrors,
  handle: changing((admin, id, by, { waive }) => admin.promote(id, waive, by)),
});

const rollBack = operation({
  ...change,
  method: 'post',
  path: '/models/:id/rollback',
  id: 'rollBackModel',
  summary: 'Leave it for the version that served before',
  answers: changed,
  errors: changeErrors,
  handle: changing((admin, id, by) => admin.rollBack(id, by)),
});

const pin = operation({
  ...change,
  method: 'post',
  path: '/models/:id/pin',
  id: 'pinModel',
  summary: 'Serve it whatever is current, and promote nothing until it is unpinned',
  answers: changed,
  errors: changeErrors,
  handle: changing((admin, id, by) => admin.pin(id, by)),
});

const unpin = operation({
  ...change,
  method: 'delete',
  path: '/models/:id/pin',
  id: 'unpinModel',
  summary: 'Serve the current version again',
  answers: changed,
  errors: changeErrors,
  handle: changing((admin, id, by) => admin.unpin(id, by)),
});

const shadow = operation({
  ...change,
  method: 'post',
  path: '/models/:id/shadow',
  id: 'shadowModel',
  summary: 'Let it judge a share of what is served; its answers are compared and never sent',
  body: {
    json: 'ShadowRequest',
    shown: shadowRequestSchema,
    checked: shadowRequestSchema,
    required: false,
    maxBytes,
  },
  answers: changed,
  errors: changeErrors,
  handle: changing((admin, id, by, { share }) => admin.shadow(id, share, by)),
});

const unshadow = operation({
  ...change,
  method: 'delete',
  path: '/models/:id/shadow',
  id: 'unshadowModel',
  summary: 'End that',
  answers: changed,
  errors: changeErrors,
  handle: changing((admin, id, by) => admin.unshadow(id, by)),
});

/** What versions there are, and the verbs that change what serves. */
export const modelRoutes = [labels, list, details, promote, rollBack, pin, unpin, shadow, unshadow];
