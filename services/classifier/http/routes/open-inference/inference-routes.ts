import { z } from 'zod';
import type { Manifest } from '../../../../../shared/contracts/manifest';
import { windowFormat } from '../../../../../shared/contracts/members';
import type { Answer, AnyOperation, Call, Handle } from '../../routing/route';
import { operation } from '../../routing/route';
import {
  answerRecording,
  recordingErrors,
  timeoutParameter,
  type RecordingDeps,
} from '../recordings/answer-recording';
import { inferenceAnswerSchema, outputsAsked, sendInference, type Judged } from './inference-answer';
import {
  assertVersion,
  describeInferenceModel,
  inputOf,
  modelMetadataSchema,
  servedVersion,
} from './inference-models';
import { inferenceRequestSchema, jsonLengthHeader, readInferenceRequest } from './inference-request';
import { recordingsOf } from './input-tensor';

export interface InferenceRoutesDeps extends RecordingDeps {
  readonly version: string;
  /** The version that answers now; undefined while it is loaded. */
  readonly serving: () => Manifest | undefined;
}

type Route = AnyOperation<InferenceRoutesDeps>;

const serverSchema = z.object({
  name: z.literal('earshot'),
  version: z.string(),
  extensions: z.array(z.string()),
});

const server = operation({
  method: 'get',
  path: '/v2',
  id: 'inferenceServer',
  tag: 'operation',
  summary: 'The Open Inference Protocol: what this server is',
  access: 'anyone',
  answers: { 200: { json: { name: 'InferenceServer', schema: serverSchema } } },
  handle: ({ version }: InferenceRoutesDeps) => {
    const answer: z.infer<typeof serverSchema> = {
      name: 'earshot',
      version,
      extensions: ['binary_tensor_data'],
    };
    return ({ res }) => {
      res.json(answer);
    };
  },
});

const live = operation({
  method: 'get',
  path: '/v2/health/live',
  id: 'inferenceLive',
  tag: 'operation',
  summary: 'The Open Inference Protocol: whether the process answers at all',
  access: 'anyone',
  answers: { 200: { json: { name: 'InferenceLive', schema: z.object({ live: z.literal(true) }) } } },
  handle: () => {
    return ({ res }) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json({ live: true });
    };
  },
});

const readySchema = z.object({ name: z.string().optional(), ready: z.boolean() });
const readiness: Readonly<Record<number, Answer>> = {
  200: { json: { name: 'InferenceReady', schema: readySchema } },
  503: { description: 'Not ready', json: { name: 'InferenceReady', schema: readySchema } },
};

const ready = operation({
  method: 'get',
  path: '/v2/health/ready',
  id: 'inferenceReady',
  tag: 'operation',
  summary: 'The Open Inference Protocol: whether recordings are taken',
  access: 'anyone',
  answers: readiness,
  handle: (deps: InferenceRoutesDeps) => {
    return (call) => {
      sendReady(deps, call, {});
    };
  },
});

/** The routes of a model: at its name, which means the version that serves, and at a version. */
function modelRoutes(ofVersion: boolean): readonly Route[] {
  const path = ofVersion ? '/v2/models/:name/versions/:version' : '/v2/models/:name';
  const suffix = ofVersion ? 'OfVersion' : '';
  const name = '`earshot` takes audio files, `earshot-samples` mono samples';
  const version = 'The version that serves, as the model’s metadata names it';
  const params: Readonly<Record<string, string>> = ofVersion ? { name, version } : { name };
  const versionOf: VersionOf = ({ param }) => (ofVersion ? param('version') : undefined);
  return [
    operation({
      method: 'get',
      path,
      id: `inferenceModel${suffix}`,
      tag: 'operation',
      summary: 'The Open Inference Protocol: what a model takes and gives',
      access: 'anyone',
      params,
      answers: { 200: { json: { name: 'InferenceModel', schema: modelMetadataSchema } } },
      errors: ['not-found', 'starting'],
      handle: ({ serving }: InferenceRoutesDeps) => {
        return (call) => {
          inputOf(call.param('name'));
          call.res.json(
            describeInferenceModel(call.param('name'), servedVersion(serving(), versionOf(call))),
          );
        };
      },
    }),
    operation({
      method: 'get',
      path: `${path}/ready`,
      id: `inferenceModelReady${suffix}`,
      tag: 'operation',
      summary: 'The Open Inference Protocol: whether a model takes recordings',
      access: 'anyone',
      params,
      answers: readiness,
      errors: ['not-found'],
      handle: (deps: InferenceRoutesDeps) => {
        return (call) => {
          const model = call.param('name');
          inputOf(model);
          const manifest = deps.serving();
          if (manifest !== undefined) assertVersion(manifest.version, versionOf(call));
          sendReady(deps, call, { name: model });
        };
      },
    }),
    inferRoute(`${path}/infer`, `infer${suffix}`, params, versionOf),
  ];
}

type VersionOf = (call: Call) => string | undefined;

function inferRoute(
  path: string,
  id: string,
  params: Readonly<Record<string, string>>,
  versionOf: VersionOf,
): Route {
  return operation({
    method: 'post',
    path,
    id,
    tag: 'classification',
    summary: 'The Open Inference Protocol: what is to be heard in recordings',
    description:
      'BYTES `audio` of `earshot` are audio files, [n]; FP32 `samples` of `earshot-samples` are mono, [n, samples]. Outputs are `label` ' +
      'and `confidence` [n], `labels` and `probabilities` [n, top_k], most probable first. Tensors may follow the JSON as binary data.',
    access: 'key',
    params,
    headers: [
      timeoutParameter,
      { name: jsonLengthHeader, description: 'Bytes of JSON; tensors follow', pattern: '^[0-9]{1,9}$' },
    ],
    body: {
      content: {
        'application/json': { schema: z.toJSONSchema(inferenceRequestSchema, { io: 'input' }) },
        'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
      },
    },
    answers: {
      200: {
        description: 'The outputs',
        json: { name: 'InferenceAnswer', schema: inferenceAnswerSchema },
        content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
      },
    },
    errors: ['not-found', ...recordingErrors],
    handle: (deps: InferenceRoutesDeps) => infer(deps, versionOf),
  });
}

function infer(deps: InferenceRoutesDeps, versionOf: VersionOf): Handle {
  return async (call) => {
    const { req, res } = call;
    const name = call.param('name');
    const input = inputOf(name);
    await answerRecording(deps, call, {
      read: (reading) => readInferenceRequest(req, reading),
      judge: async (request, account) => {
        const manifest = servedVersion(deps.serving(), versionOf(call));
        outputsAsked(request);
        const options = { ...account, topK: request.parameters.top_k, tags: 0 };
        const recordings = recordingsOf(request, input, windowFormat(manifest).sampleRate);
        // They begin in one turn, so that the version that was looked at judges them all.
        const judged = await all(recordings.map((bytes) => deps.classifyClip(bytes, options)));
        return { request, judged };
      },
      send: ({ request, judged }) => {
        sendInference(res, name, request, judged);
      },
    });
  };
}

/** All answers; what fails is told when nothing is under way any more. */
async function all(judging: readonly Promise<Judged>[]): Promise<Judged[]> {
  await Promise.allSettled(judging);
  return Promise.all(judging);
}

function sendReady(
  { admission }: InferenceRoutesDeps,
  { res }: Call,
  model: { readonly name?: string },
): void {
  const isReady = admission.status.status === 'ready';
  const answer: z.infer<typeof readySchema> = { ...model, ready: isReady };
  res.setHeader('Cache-Control', 'no-store');
  res.status(isReady ? 200 : 503).json(answer);
}

/** The Open Inference Protocol, version 2, over REST. */
export const inferenceRoutes: readonly Route[] = [
  server,
  live,
  ready,
  ...modelRoutes(false),
  ...modelRoutes(true),
];
