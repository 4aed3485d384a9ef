import type { Classification } from '../../../../shared/contracts/classification.js';
import { byId, create } from '../elements/dom.js';
import { labelWords, percent, seconds } from '../elements/words.js';

type WindowResult = Classification['windows'][number];

/** The windows of a recording, as buttons below the sound that they judge. */
export interface WindowsView {
  show(windows: readonly WindowResult[], durationSeconds: number): void;
  /** Marks the windows that hear this moment. */
  mark(positionSeconds: number): void;
}

/** @param onChosen the window that was chosen, or nothing when the choice was taken back */
export function createWindowsView(onChosen: (chosen: WindowResult | undefined) => void): WindowsView {
  const bar = byId('windows', HTMLElement);
  let shown: readonly WindowResult[] = [];
  let buttons: HTMLButtonElement[] = [];
  let chosen: number | undefined;

  const choose = (index: number | undefined): void => {
    chosen = index;
    buttons.forEach((button, place) => {
      button.setAttribute('aria-pressed', String(place === index));
    });
    onChosen(index === undefined ? undefined : shown[index]);
  };
  /** One stop of the Tab key for all; the arrows move within. */
  const focus = (index: number): void => {
    buttons.forEach((button, place) => (button.tabIndex = place === index ? 0 : -1));
    buttons[index]?.focus();
    buttons[index]?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  };
  bar.addEventListener('keydown', (event) => {
    const at = buttons.findIndex((button) => button === document.activeElement);
    const last = buttons.length - 1;
    const target = new Map([
      ['ArrowRight', Math.min(last, at + 1)],
      ['ArrowLeft', Math.max(0, at - 1)],
      ['Home', 0],
      ['End', last],
    ]).get(event.key);
    if (target === undefined || at < 0) return;
    event.preventDefault();
    focus(target);
  });

  return {
    show(windows, durationSeconds) {
      shown = windows;
      buttons = windows.map((window, index) => windowButton(window, index, durationSeconds));
      buttons.forEach((button, index) => {
        button.addEventListener('click', () => {
          choose(chosen === index ? undefined : index);
        });
      });
      bar.dataset['lanes'] = windows.length > 1 ? '2' : '1';
      bar.replaceChildren(...buttons);
      chosen = undefined;
    },
    mark(at) {
      shown.forEach(({ startSeconds, endSeconds }, index) => {
        buttons[index]!.dataset['current'] = String(at >= startSeconds && at < endSeconds);
      });
    },
  };
}

/** Neighbours overlap by half, so that odd ones go into a lane of their own. */
function windowButton(window: WindowResult, index: number, duration: number): HTMLButtonElement {
  const { startSeconds, endSeconds, label, confidence, labels = [] } = window;
  const button = create('button', 'window', labelWords(label));
  button.type = 'button';
  button.tabIndex = index === 0 ? 0 : -1;
  button.dataset['lane'] = String(index % 2);
  button.style.setProperty('--from', String(startSeconds / duration));
  button.style.setProperty('--to', String(Math.min(1, endSeconds / duration)));
  button.style.setProperty('--confidence', String(confidence));
  const others = labels.slice(1).map((one) => `, ${labelWords(one.label)}, ${percent(one.probability)}`);
  const words = `${seconds(startSeconds)} to ${seconds(endSeconds)}: ${labelWords(label)}, ${percent(confidence)}${others.join('')}`;
  button.setAttribute('aria-label', words);
  button.setAttribute('aria-pressed', 'false');
  button.title = words;
  return button;
}
