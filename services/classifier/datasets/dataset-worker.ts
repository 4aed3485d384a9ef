import { answerCalls } from '../../../shared/runtime/threads/answer-calls';
import { describeDataset, listClips, type ClipList, type DatasetReading } from './describe-dataset';
import { unpackArchive, type UnpackRequest, type Unpacked } from './unpack-archive';

/** Requests to the dataset thread. */
export type DatasetCall =
  | { readonly kind: 'describe'; readonly folder: string }
  | { readonly kind: 'list'; readonly folder: string }
  | ({ readonly kind: 'unpack' } & UnpackRequest);

export type DatasetAnswer = DatasetReading | ClipList | Unpacked;

answerCalls((call: DatasetCall, assertWanted): DatasetAnswer | Promise<DatasetAnswer> => {
  if (call.kind === 'describe') return describeDataset(call.folder, assertWanted);
  if (call.kind === 'list') return listClips(call.folder, assertWanted);
  return unpackArchive(call, assertWanted);
});
