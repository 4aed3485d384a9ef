import type { Prediction } from '../../../../shared/contracts/classification.js';
import { create } from '../elements/dom.js';
import { labelText, percent } from '../elements/text.js';

/** Shows predictions as bars, the most probable first. Rows are reused, so that changes are animated. */
export function showBars(list: HTMLElement, predictions: readonly Prediction[], count: number): void {
  while (list.children.length < count) list.append(newRow());
  while (list.children.length > count) list.lastElementChild!.remove();
  [...list.children].forEach((row, index) => {
    const { label, probability } = predictions[index] ?? { label: undefined, probability: 0 };
    const [name, bar, number] = row.children as unknown as [HTMLElement, HTMLElement, HTMLElement];
    name.textContent = label === undefined ? '–' : labelText(label);
    number.textContent = label === undefined ? '' : percent(probability);
    bar.style.setProperty('--share', String(probability));
  });
}

function newRow(): HTMLLIElement {
  const bar = create('span', 'bar');
  bar.setAttribute('aria-hidden', 'true');
  return create('li', 'bar-row', create('span', 'bar-name'), bar, create('span', 'bar-number number'));
}
