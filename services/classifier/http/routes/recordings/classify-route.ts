import {
  classificationSchema,
  predictionSchema,
  recordingEventSchema,
  windowResultSchema,
} from '../../../../../shared/contracts/classification';
import { eventRuleSchema, startMessageSchema, type EventRule } from '../../../../../shared/contracts/stream';
import { AppError } from '../../../../../shared/errors/app-error';
import type { EventSettings } from '../../../model/recording/recording-judge';
import { readUpload } from '../../body/upload';
import { classifyQuerySchema } from '../../classify-query';
import { contextOf } from '../../request-context';
import { operation } from '../../routing/route';
import { answerRecording, recordingErrors, timeoutParameter, type RecordingDeps } from './answer-recording';
import { negotiateAnswer, scoresSchema, sendAnswer } from './classify-answer';
import { uploadContent } from './upload-content';

export const classifyRoute = operation({
  method: 'post',
  path: '/classify',
  id: 'classify',
  tag: 'classification',
  summary: 'What is to be heard in a recording',
  description:
    'WAV, FLAC, MP3, Ogg Vorbis and Opus, found by content; other containers where an ffmpeg is installed. ' +
    'A clip longer than the model’s window is judged window by window; the answer is the mean over those in which a class ' +
    'is heard, or `unknown`. With `events=true` the answer names each sound with its onset and offset too.',
  access: 'key',
  query: classifyQuerySchema,
  headers: [timeoutParameter],
  body: { content: uploadContent },
  answers: {
    200: {
      description: 'The clip’s classes, most probable first',
      headers: { 'X-Request-Id': { schema: { type: 'string' } } },
      json: [
        {
          name: 'Classification',
          schema: classificationSchema,
          parts: {
            Prediction: predictionSchema,
            WindowResult: windowResultSchema,
            RecordingEvent: recordingEventSchema,
          },
        },
        { name: 'Scores', schema: scoresSchema },
      ],
      content: {
        'text/plain': { schema: { type: 'string' }, example: ' 93.1 %  dog\n  4.0 %  rooster\n' },
      },
    },
  },
  errors: ['not-acceptable', ...recordingErrors],
  handle: (deps: RecordingDeps) => {
    return async (call) => {
      const { req, res, query } = call;
      const { requestId } = contextOf(res);
      const type = negotiateAnswer(req);
      const { format, events: wanted, thresholds, ...options } = query;
      const isEventful = wanted === 'true' && format === 'full';
      if (thresholds !== undefined && !isEventful) {
        const todo = format === 'hf' ? 'which format=hf does not name: leave it out' : 'add events=true';
        throw new AppError('malformed-request', `thresholds are those of events: ${todo}.`);
      }
      const events = isEventful ? eventSettings(thresholds, options.hopSeconds) : undefined;
      await answerRecording(deps, call, {
        read: (reading) => readUpload(req, reading),
        judge: ({ bytes, topK = options.topK }, account) =>
          deps.classifyClip(bytes, { ...options, ...account, topK, events }),
        send: (answer) => {
          sendAnswer(res, { requestId, ...answer }, type, format);
        },
      });
    };
  },
});

/** What a stream has that says nothing else: the events of a recording are those of such a stream. */
const streamDefaults = startMessageSchema.parse({ type: 'start', encoding: 'container' });

/** @throws AppError malformed-request for thresholds that are not those of a rule, as JSON */
function eventSettings(
  thresholds: string | undefined,
  hopSeconds = streamDefaults.hopSeconds,
): EventSettings {
  const { events: rule, silenceDbfs } = streamDefaults;
  const named = thresholds === undefined ? rule! : { ...rule!, thresholds: parseThresholds(thresholds) };
  return { rule: named, silenceDbfs: silenceDbfs!, hopSeconds };
}

function parseThresholds(text: string): NonNullable<EventRule['thresholds']> {
  const expected = 'expected a JSON object of scores from 0 to 1, as {"dog": 0.7}';
  try {
    return eventRuleSchema.shape.thresholds.unwrap().parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError('malformed-request', `thresholds: ${expected}.`, { cause });
  }
}
