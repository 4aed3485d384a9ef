import { createClient } from '../../../shared/client/client.js';
import { createClipPanel } from './clip/clip-panel.js';
import { createKeyForm } from './elements/key-form.js';
import { createListenPanel } from './listen/listen-panel.js';
import { watchService } from './elements/service-watch.js';

const keyForm = createKeyForm();
const client = createClient({
  // The page's own address, so that it also works below a reverse proxy's prefix.
  baseUrl: document.baseURI,
  get apiKey() {
    return keyForm.key;
  },
});
const watch = watchService(client);
createListenPanel(client, keyForm, watch);
createClipPanel(client, keyForm);
