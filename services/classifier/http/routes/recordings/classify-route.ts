import {
  classificationSchema,
  predictionSchema,
  recordingEventSchema,
  windowResultSchema,
} from '../../../../../shared/contracts/classification';
import { startMessageSchema } from '../../../../../shared/contracts/stream';
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
      const { format, events: wanted, ...options } = query;
      const isEventful = wanted === 'true' && format === 'full';
      const events = isEventful ? eventSettings(options.hopSeconds) : undefined;
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

function eventSettings(hopSeconds = streamDefaults.hopSeconds): EventSettings {
  return { rule: streamDefaults.events!, silenceDbfs: streamDefaults.silenceDbfs!, hopSeconds };
}
