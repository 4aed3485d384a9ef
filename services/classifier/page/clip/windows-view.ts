import type { Classification } from '../../../../shared/contracts/classification.js';
import { byId, create } from '../elements/dom.js';
import { labelText, percent, seconds } from '../elements/text.js';

type WindowResult = Classification['windows'][number];

/** Shows the windows of a recording as buttons below the waveform. */
export interface WindowsView {
  show(windows: readonly WindowResult[], durationSeconds: number): void;
  /** Marks the windows that contain a position. */
  mark(positionSeconds: number): void;
}

/** @param onChosen called with the chosen window, or undefined when the choice is cancelled */
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
  /** The buttons are one stop of the Tab key; the arrow keys move the focus among them. */
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

/** A window's button. Neighbouring windows overlap by half, so odd ones are in a second lane. */
function windowButton(window: WindowResult, index: number, duration: number): HTMLButtonElement {
  const { startSeconds, endSeconds, label, confidence, labels = [] } = window;
  const button = create('button', 'window', labelText(label));
  button.type = 'button';
  button.tabIndex = index === 0 ? 0 : -1;
  button.dataset['lane'] = String(index % 2);
  button.style.setProperty('--from', String(startSeconds / duration));
  button.style.setProperty('--to', String(Math.min(1, endSeconds / duration)));
  button.style.setProperty('--confidence', String(confidence));
  const others = labels.slice(1).map((other) => `, ${labelText(other.label)}, ${percent(other.probability)}`);
  const words = `${seconds(startSeconds)} to ${seconds(endSeconds)}: ${labelText(label)}, ${percent(confidence)}${others.join('')}`;
  button.setAttribute('aria-label', words);
  button.setAttribute('aria-pressed', 'false');
  button.title = words;
  return button;
}
