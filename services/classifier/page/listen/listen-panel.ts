import type { EarshotClient } from '../../../../shared/client/client.js';
import type { StreamState } from '../../../../shared/client/stream.js';
import type { StreamMessage } from '../../../../shared/client/stream-contract.js';
import { announce } from '../elements/announcer.js';
import { createArrivalClock, type ArrivalClock } from './arrival-clock.js';
import { byId, showProblem } from '../elements/dom.js';
import { createHeardSounds } from './heard-sounds.js';
import type { KeyForm } from '../elements/key-form.js';
import { createLevelMeter } from './level-meter.js';
import { startListening, type Listening } from './listening.js';
import { createLiveView, shownClasses } from './live-view.js';
import { MicrophoneError } from './microphone.js';
import { createScope } from '../draw/scope.js';
import type { ServiceWatch } from '../service-watch.js';
import { errorWords, passingErrorWords, seconds } from '../elements/words.js';

const hopSeconds = 0.5;
/** For so much sound a notice stays to be read. */
const noticeSeconds = 8;
type Phase = 'idle' | 'opening' | 'listening' | 'stopping';

/** The upper half of the page: everything that the Listen button sets going. */
export function createListenPanel(client: EarshotClient, keyForm: KeyForm, watch: ServiceWatch): void {
  const button = byId('listen', HTMLButtonElement);
  const buttonText = byId('listen-text', HTMLElement);
  const problem = byId('listen-problem', HTMLElement);
  const meter = createLevelMeter();
  const view = createLiveView();
  const scope = createScope();
  const heard = createHeardSounds(scope);
  let phase: Phase = 'idle';
  let listening: Listening | undefined;
  let clock: ArrivalClock | undefined;
  let soundSeconds = 0;
  let judgedSeconds = 0;
  let noticeUntilSeconds = 0;

  const enter = (next: Phase): void => {
    phase = next;
    const words = { idle: 'Listen', opening: 'Opening…', listening: 'Stop', stopping: 'Stopping…' };
    buttonText.textContent = words[next];
    button.dataset['phase'] = next;
    button.setAttribute('aria-pressed', String(next === 'listening'));
    button.setAttribute('aria-busy', String(next === 'opening' || next === 'stopping'));
  };

  const rest = (caption: string, words: string | undefined): void => {
    listening = undefined;
    heard.breakOff(judgedSeconds);
    scope.stop();
    meter.reset();
    enter('idle');
    showProblem(problem, words);
    if (words === undefined) announce('Stopped listening.');
    const sounds = heard.count === 1 ? '1 sound' : `${heard.count} sounds`;
    view.say(
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
        watch.look();
        showProblem(problem, undefined);
        break;
      case 'waiting':
        watch.look();
        showProblem(problem, passingErrorWords(state.reason));
        view.say('Not connected', 'One moment', 'What is heard now is judged when the server is back.');
        break;
      case 'ended':
        if (state.reason?.code === 'unauthorized') keyForm.ask();
        // A Stop that was pressed ends below, with thanks.
        if (phase !== 'stopping')
          rest('Stopped', state.reason === undefined ? undefined : errorWords(state.reason));
    }
  };

  const onMessage = (message: StreamMessage): void => {
    switch (message.type) {
      case 'ready':
        if (!message.resumed) heard.breakOff(judgedSeconds);
        break;
      case 'prediction':
        judgedSeconds = message.endSeconds;
        if (judgedSeconds > noticeUntilSeconds) showProblem(problem, undefined);
        view.predict(message, clock?.since(message.endSeconds));
        break;
      case 'event':
        heard.show(message);
        break;
      case 'notice':
        showProblem(problem, message.message);
        noticeUntilSeconds = judgedSeconds + noticeSeconds;
        watch.look();
        break;
      case 'done':
        break;
    }
  };

  const start = async (): Promise<void> => {
    enter('opening');
    showProblem(problem, undefined);
    view.say('One moment', 'Opening the microphone', 'The browser may ask whether this page may listen.');
    soundSeconds = judgedSeconds = noticeUntilSeconds = 0;
    try {
      listening = await startListening(
        client,
        { hopSeconds, topK: shownClasses },
        {
          onOpen: (sampleRate) => {
            clock = createArrivalClock(sampleRate);
            heard.clear();
            byId('scope-empty', HTMLElement).hidden = true;
            scope.start(sampleRate);
            view.say('Listening', 'Listening…', 'The first answer comes after a second of sound.');
            announce('Listening.');
          },
          onSamples: (samples, sampleRate) => {
            soundSeconds += samples.length / sampleRate;
            clock?.heard(samples.length);
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
      enter('listening');
    } catch (error) {
      const words = error instanceof MicrophoneError ? error.message : errorWords(error);
      enter('idle');
      showProblem(problem, words);
      view.say('Ready', 'Not listening', 'What keeps the page from listening is said below.');
    }
  };

  const stop = async (because?: string): Promise<void> => {
    if (listening === undefined || phase === 'stopping') return;
    enter('stopping');
    await listening.stop();
    rest('Stopped', because);
  };

  button.addEventListener('click', () => {
    if (phase === 'idle') void start();
    else if (phase === 'listening') void stop();
  });
  // A page that goes away leaves nothing running on the server.
  window.addEventListener('pagehide', () => void stop());
}
