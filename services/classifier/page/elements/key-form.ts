import { announce } from './announcer.js';
import { byId } from './dom.js';

/** Asks for an API key when the service does, and keeps it as long as the page is open. */
export interface KeyForm {
  readonly key: string | undefined;
  /** The service refused what came without a key, or with this one. */
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
