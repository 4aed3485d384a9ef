import { createHash } from 'node:crypto';
import { errorCodes, AppError } from '../../../../shared/errors/app-error';
import { problemOf } from '../problem';
import type { Handle, Json, Resource } from '../routing/route';

/** Everything comes from this host: the page works behind any firewall and tells nobody who reads it. */
const contentSecurityPolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

/**
 * @param base where the page's parts are, from its own address: a browser takes that for a folder if a
 * slash ends it
 */
const page = (base: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Earshot API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="${base}swagger-ui.css">
  </head>
  <body>
    <div id="docs"></div>
    <script src="${base}swagger-ui-bundle.js"></script>
    <script src="${base}start.js"></script>
  </body>
</html>
`;

// Without validatorUrl: null the page would ask a host of its makers about our document.
const start = `SwaggerUIBundle({
  url: new URL('../openapi.json', document.currentScript.src).href,
  dom_id: '#docs',
  validatorUrl: null,
  deepLinking: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
});
`;

export interface DocsRoutesDeps {
  /** The documents at `/openapi.json` and `/asyncapi.json`. */
  readonly openApi: Json;
  readonly asyncApi: Json;
}

type DocsRoute = Resource<DocsRoutesDeps>;

/** A document of tens of kilobytes that never changes: written out, and its digest worked out, once. */
function fixed(document: unknown): Handle {
  const body = Buffer.from(JSON.stringify(document));
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
  return ({ res }) => {
    res.setHeader('ETag', etag);
    res.type('json').send(body);
  };
}

function at(path: string, handle: DocsRoute['handle']): DocsRoute {
  return { method: 'get', path, handle };
}

function libraryFile(name: string): DocsRoute {
  const file = require.resolve(`swagger-ui-dist/${name}`);
  return at(`/docs/${name}`, () => ({ res }) => {
    res.sendFile(file, { maxAge: '1h', dotfiles: 'allow' });
  });
}

function docsPage(): Handle {
  const [plain, asFolder] = [text('html', page('docs/')), text('html', page(''))];
  return (call) => (call.req.path.endsWith('/') ? asFolder : plain)(call);
}

/** What a problem's `type` points to. */
const answerProblem: Handle = ({ res, param }) => {
  const code = errorCodes.find((known) => known === param('code'));
  if (code === undefined) throw new AppError('not-found', 'There is no problem with this code.');
  const { type, title, status } = problemOf(new AppError(code, ''), '');
  res.json({ type, title, status, code });
};

/** The documents, a page to read and try them, and what each problem's `type` points to. */
export const docsRoutes: readonly DocsRoute[] = [
  at('/openapi.json', ({ openApi }) => fixed(openApi)),
  at('/asyncapi.json', ({ asyncApi }) => fixed(asyncApi)),
  at('/docs', docsPage),
  at('/docs/start.js', () => text('js', start)),
  libraryFile('swagger-ui.css'),
  libraryFile('swagger-ui-bundle.js'),
  at('/problems/:code', () => answerProblem),
];

function text(type: string, body: string): Handle {
  return ({ res }) => {
    res.setHeader('Content-Security-Policy', contentSecurityPolicy);
    res.type(type).send(body);
  };
}
