import type { Express, Response } from 'express';
import { AppError } from '../../../../shared/errors/app-error';
import type { PageAsset, PageAssets } from './page-assets';
import { endpoint } from '../endpoint';

export const pageRoutePaths = ['/', '/page/:digest/*path'];

/** `GET /`, the page to hear with; its parts below `/page/`. */
export function pageRoutes(app: Express, { document, digest, files }: PageAssets): void {
  endpoint(app, '/', {
    get: (_req, res) => {
      // Small, and asked for anew each time: it alone knows the address of everything else.
      res.setHeader('Cache-Control', 'no-cache');
      send(res, document);
    },
  });
  endpoint(app, '/page/:digest/*path', {
    get: (req, res) => {
      const { digest: asked, path } = req.params as unknown as { digest: string; path: string[] };
      const file = files.get(path.join('/'));
      if (asked !== digest || file === undefined) {
        throw new AppError(
          'not-found',
          'This part of the page is not here, or not any more: reload the page.',
        );
      }
      res.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
      send(res, file);
    },
  });
}

function send(res: Response, { type, body, gzipped }: PageAsset): void {
  res.vary('Accept-Encoding');
  res.setHeader('Content-Type', type);
  if (gzipped === undefined || res.req.acceptsEncodings('gzip') !== 'gzip') {
    res.send(body);
    return;
  }
  res.setHeader('Content-Encoding', 'gzip');
  res.send(gzipped);
}
