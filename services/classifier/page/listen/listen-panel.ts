import type { EarshotClient } from '../../../../shared/client/client.js';
import type { StreamState } from '../../../../shared/client/stream.js';
import type { StreamMessage } from '../../../../shared/client/stream-contract.js';
import { announce } from '../elements/announcer.js';
import { createArrivalClock, type ArrivalClock } from './arrival-clock.js';
import { byId, showProblem } from '../elements/dom.js';
import { createSoundEvents } from './sound-events.js';
import type { KeyForm } from '../elements/key-form.js';
import { createLevelMeter } from './level-meter.js';
import { startListening, type ListeningSession } from './listening-session.js';
import { createLiveView, shownClasses } from './live-view.js';
import { MicrophoneError } from './microphone.js';
import { createScope } from '../draw/scope.js';
import type { ServiceWatch } from '../elements/service-watch.js';
import { errorText, transientErrorText, seconds } from '../elements/text.js';

const hopSeconds = 0.5;
/** Seconds of sound for which a notice stays visible. */
const noticeSeconds = 8;
type Phase = 'idle' | 'opening' | 'listening' | 'stopping';

/** The upper half of the page: everything that the Listen button controls. */
export function createListenPanel(client: EarshotClient, keyForm: KeyForm, watch: ServiceWatch): void {
  const button = byId('listen', HTMLButtonElement);
  const buttonText = byId('listen-text', HTMLElement);
  const problem = byId('listen-problem', HTMLElement);
  const meter = createLevelMeter();
  const view = createLiveView();
  const scope = createScope();
  const events = createSoundEvents(scope);
  let phase: Phase = 'idle';
  let session: ListeningSession | undefined;
  let clock: ArrivalClock | undefined;
  let soundSeconds = 0;
  let judgedSeconds = 0;
  let noticeUntilSeconds = 0;

  const setPhase = (next: Phase): void => {
    phase = next;
    const words = { idle: 'Listen', opening: 'Opening…', listening: 'Stop', stopping: 'Stopping…' };
    buttonText.textContent = words[next];
    button.dataset['phase'] = next;
    button.setAttribute('aria-pressed', String(next === 'listening'));
    button.setAttribute('aria-busy', String(next === 'opening' || next === 'stopping'));
  };

  const showStopped = (caption: string, words: string | undefined): void => {
    session = undefined;
    events.endAll(judgedSeconds);
    scope.stop();
    meter.reset();
    setPhase('idle');
    showProblem(problem, words);
    if (words === undefined) announce('Stopped listening.');
    const sounds = events.count === 1 ? '1 sound' : `${events.count} sounds`;
    view.showStatus(
      caption,
      words === undefined ? 'Thank you' : 'Not listening',
      `${seconds(soundSeconds)} of sound, ${sounds} heard.`,
    );
  };

  const onState = (state: StreamState): void => {
    switch (state.kind) {
      case 'connecting':
        break;
      case 'open':
        watch.refresh();
        showProblem(problem, undefined);
        break;
      case 'waiting':
        watch.refresh();
        showProblem(problem, transientErrorText(state.reason));
        view.showStatus(
          'Not connected',
          'One moment',
          'What is heard now is judged when the server is back.',
        );
        break;
      case 'ended':
        if (state.reason?.code === 'unauthorized') keyForm.ask();
        // After Stop was pressed, stop() shows the end.
        if (phase !== 'stopping')
          showStopped('Stopped', state.reason === undefined ? undefined : errorText(state.reason));
    }
  };

  const onMessage = (message: StreamMessage): void => {
    switch (message.type) {
      case 'ready':
        if (!message.resumed) events.endAll(judgedSeconds);
        break;
      case 'prediction':
        judgedSeconds = message.endSeconds;
        if (judgedSeconds > noticeUntilSeconds) showProblem(problem, undefined);
        view.showPrediction(message, clock?.elapsedMs(message.endSeconds));
        break;
      case 'event':
        events.show(message);
        break;
      case 'notice':
        showProblem(problem, message.message);
        noticeUntilSeconds = judgedSeconds + noticeSeconds;
        watch.refresh();
        break;
      case 'done':
        break;
    }
  };

  const start = async (): Promise<void> => {
    setPhase('opening');
    showProblem(problem, undefined);
    view.showStatus(
      'One moment',
      'Opening the microphone',
      'The browser may ask whether this page may listen.',
    );
    soundSeconds = judgedSeconds = noticeUntilSeconds = 0;
    try {
      session = await startListening(
        client,
        { hopSeconds, topK: shownClasses },
        {
          onOpen: (sampleRate) => {
            clock = createArrivalClock(sampleRate);
            events.clear();
            byId('scope-empty', HTMLElement).hidden = true;
            scope.start(sampleRate);
            view.showStatus('Listening', 'Listening…', 'The first answer comes after a second of sound.');
            announce('Listening.');
          },
          onSamples: (samples, sampleRate) => {
            soundSeconds += samples.length / sampleRate;
            clock?.addChunk(samples.length);
            meter.show(samples, sampleRate);
            scope.push(samples);
          },
          onMessage,
          onState,
          onMicrophoneLost: () => {
            void stop('The microphone was unplugged or taken away.');
          },
        },
      );
      setPhase('listening');
    } catch (error) {
      const words = error instanceof MicrophoneError ? error.message : errorText(error);
      setPhase('idle');
      showProblem(problem, words);
      view.showStatus('Ready', 'Not listening', 'What keeps the page from listening is said below.');
    }
  };

  const stop = async (problemText?: string): Promise<void> => {
    if (session === undefined || phase === 'stopping') return;
    setPhase('stopping');
    await session.stop();
    showStopped('Stopped', problemText);
  };

  button.addEventListener('click', () => {
    if (phase === 'idle') void start();
    else if (phase === 'listening') void stop();
  });
  // Ends the stream when the user leaves the page.
  window.addEventListener('pagehide', () => void stop());
}
