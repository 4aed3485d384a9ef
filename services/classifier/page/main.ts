import { createClient } from '../../../shared/client/client.js';
import { createClipPanel } from './clip-panel.js';
import { createListenPanel } from './listen-panel.js';
import { watchService } from './service-watch.js';

// The page's own address, so that it also works below a reverse proxy's prefix.
const client = createClient({ baseUrl: document.baseURI });
watchService(client);
createListenPanel(client);
createClipPanel(client);
