import type { EarshotClient } from '../../../../shared/client/client.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { announce } from '../elements/announcer.js';
import { createClipView, shownClasses } from './clip-view.js';
import { byId, create, showProblem } from '../elements/dom.js';
import type { KeyForm } from '../elements/key-form.js';
import { sampleUrl, samples } from './samples.js';
import { readSound } from './waveform.js';
import { errorText, labelText, percent } from '../elements/text.js';

/** The lower half of the page: classifies a recording that is dropped, chosen or one of the samples. */
export function createClipPanel(client: EarshotClient, keyForm: KeyForm): void {
  const drop = byId('drop', HTMLElement);
  const file = byId('file', HTMLInputElement);
  const problem = byId('clip-problem', HTMLElement);
  const view = createClipView();
  let current: AbortController | undefined;

  /** Classifies a recording; a request that is still running is aborted. */
  const classify = async (name: string, load: (signal: AbortSignal) => Promise<Blob>): Promise<void> => {
    current?.abort();
    const { signal } = (current = new AbortController());
    drop.setAttribute('aria-busy', 'true');
    showProblem(problem, undefined);
    announce(`Classifying ${name}`);
    try {
      const recording = await load(signal);
      const bytes = await recording.arrayBuffer();
      const [answer, sound] = await Promise.all([
        client.classify(recording, { topK: shownClasses, signal }),
        readSound(bytes),
      ]);
      signal.throwIfAborted();
      view.show(name, recording, sound, answer);
      announce(`${name}: ${labelText(answer.label)}, ${percent(answer.confidence)}`);
    } catch (error) {
      if (signal.aborted) return;
      view.hide();
      if (AppError.from(error).code === 'unauthorized') keyForm.ask();
      showProblem(problem, `${name}: ${errorText(error)}`);
    }
    drop.setAttribute('aria-busy', 'false');
  };
  const classifyFile = (chosen: File | undefined): void => {
    if (chosen !== undefined) void classify(chosen.name, () => Promise.resolve(chosen));
  };

  file.addEventListener('change', () => {
    classifyFile(file.files?.[0]);
    // Reset, so that choosing the same file again raises an event.
    file.value = '';
  });
  byId('samples', HTMLElement).append(
    ...samples.map(({ file: name, words }) => {
      const button = create('button', 'sample', words);
      button.type = 'button';
      button.addEventListener('click', () => void classify(words, (signal) => fetchSample(name, signal)));
      return button;
    }),
  );
  acceptDrops(drop, classifyFile);
}

async function fetchSample(name: string, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(sampleUrl(name), { signal }).catch((cause: unknown) => {
    throw new AppError('unreachable', 'The sample could not be fetched.', { cause });
  });
  if (!response.ok) throw new AppError('not-found', 'This page is older than the server: reload it.');
  return response.blob();
}

/** Accepts files dropped anywhere on the page; without this the browser would navigate to the file. */
function acceptDrops(place: HTMLElement, onFile: (file: File | undefined) => void): void {
  const over = (event: DragEvent): void => {
    event.preventDefault();
    place.dataset['over'] = String(event.type === 'dragover');
  };
  window.addEventListener('dragover', over);
  window.addEventListener('dragleave', over);
  window.addEventListener('drop', (event) => {
    over(event);
    onFile(event.dataTransfer?.files[0]);
  });
}
