import { readUpload } from '../../body/upload';
import { operation } from '../../routing/route';
import { answerRecording, recordingErrors, timeoutParameter, type RecordingDeps } from './answer-recording';
import { scoresSchema, sendScores } from './classify-answer';
import { uploadContent } from './upload-content';

const usualTopK = 5;

/**
 * Hugging Face's audio-classification task where its clients ask an endpoint of one's own: at the
 * address of the service itself.
 */
export const huggingFaceRoute = operation({
  method: 'post',
  path: '/',
  id: 'audioClassification',
  tag: 'classification',
  summary: 'Hugging Face’s audio-classification task',
  description:
    'For `@huggingface/inference` and `huggingface_hub`, whose `endpointUrl` or `model` is the address of this service.',
  access: 'key',
  headers: [timeoutParameter],
  body: { content: uploadContent },
  answers: {
    200: {
      description: 'The clip’s classes, most probable first',
      json: { name: 'Scores', schema: scoresSchema },
    },
  },
  errors: ['malformed-request', ...recordingErrors],
  handle: (deps: RecordingDeps) => {
    return async (call) => {
      const { req, res } = call;
      await answerRecording(deps, call, {
        read: (reading) => readUpload(req, reading),
        judge: ({ bytes, topK = usualTopK }, account) =>
          deps.classifyClip(bytes, { ...account, topK, tags: 0 }),
        send: (answer) => {
          sendScores(res, answer);
        },
      });
    };
  },
});
