import { announce } from './announcer.js';
import { byId } from './dom.js';

/** Asks for an API key when the service requires one, and keeps it while the page is open. */
export interface KeyForm {
  readonly key: string | undefined;
  /** Shows the form, after the service has refused a request without a key or with this one. */
  ask(): void;
}

export function createKeyForm(): KeyForm {
  const form = byId('key-form', HTMLFormElement);
  const field = byId('key', HTMLInputElement);
  let key: string | undefined;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    key = field.value.trim();
    form.hidden = true;
    announce('The key is used from now on.');
    byId('listen', HTMLElement).focus();
  });
  return {
    get key() {
      return key;
    },
    ask() {
      form.hidden = false;
      field.value = '';
      field.focus();
    },
  };
}
