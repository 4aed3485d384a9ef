import { createHash } from 'node:crypto';
import type { Express, RequestHandler } from 'express';
import { errorCodes, AppError } from '../../../../shared/errors/app-error';
import { asyncApiDocument } from '../openapi/asyncapi';
import { endpoint } from '../endpoint';
import { problemOf } from '../error-middleware';
import { openApiDocument } from '../openapi/openapi';

/** Everything comes from this host: the page works behind any firewall and tells nobody who reads it. */
const contentSecurityPolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

/** @param base where the page's parts are, from its own address: a browser takes that for a folder if a slash ends it */
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

export const docsRoutePaths = [
  '/openapi.json',
  '/asyncapi.json',
  '/docs',
  '/docs/start.js',
  '/docs/swagger-ui.css',
  '/docs/swagger-ui-bundle.js',
  '/problems/:code',
];

/** A document of tens of kilobytes that never changes: written out, and its digest worked out, once. */
function fixed(document: unknown): RequestHandler {
  const body = Buffer.from(JSON.stringify(document));
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
  return (_req, res) => {
    res.setHeader('ETag', etag);
    res.type('json').send(body);
  };
}

/** `GET /openapi.json`, a page to read and try it at `/docs`, and what each problem's `type` points to. */
export function docsRoutes(app: Express, version: string): void {
  endpoint(app, '/openapi.json', { get: fixed(openApiDocument(version)) });
  endpoint(app, '/asyncapi.json', { get: fixed(asyncApiDocument(version)) });
  const [plain, asFolder] = [page('docs/'), page('')].map((document) => text('html', document));
  endpoint(app, '/docs', {
    get: (req, res, next) => (req.path.endsWith('/') ? asFolder : plain)!(req, res, next),
  });
  endpoint(app, '/docs/start.js', { get: text('js', start) });
  for (const name of ['swagger-ui.css', 'swagger-ui-bundle.js']) {
    const file = require.resolve(`swagger-ui-dist/${name}`);
    endpoint(app, `/docs/${name}`, {
      get: (_req, res) => {
        res.sendFile(file, { maxAge: '1h', dotfiles: 'allow' });
      },
    });
  }
  endpoint(app, '/problems/:code', { get: problemRoute });
}

function text(type: string, body: string): RequestHandler {
  return (_req, res) => {
    res.setHeader('Content-Security-Policy', contentSecurityPolicy);
    res.type(type).send(body);
  };
}

const problemRoute: RequestHandler = (req, res) => {
  const code = errorCodes.find((known) => known === req.params['code']);
  if (code === undefined) throw new AppError('not-found', 'There is no problem with this code.');
  const { type, title, status } = problemOf(new AppError(code, ''), '');
  res.json({ type, title, status, code });
};
