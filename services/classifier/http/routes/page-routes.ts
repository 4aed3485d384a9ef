import type { Response } from 'express';
import { AppError } from '../../../../shared/errors/app-error';
import type { Resource } from '../routing/route';
import type { PageAsset, PageAssets } from './page-assets';

export interface PageRoutesDeps {
  readonly page: PageAssets;
}

/** The page to hear with. */
const document: Resource<PageRoutesDeps> = {
  method: 'get',
  path: '/',
  handle:
    ({ page }) =>
    ({ res }) => {
      // Small, and asked for anew each time: it alone knows the address of everything else.
      res.setHeader('Cache-Control', 'no-cache');
      send(res, page.document);
    },
};

/** Everything else of the page. */
const parts: Resource<PageRoutesDeps> = {
  method: 'get',
  path: '/page/:digest/*path',
  handle:
    ({ page: { digest, files } }) =>
    ({ req, res }) => {
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
};

export const pageRoutes = [document, parts];

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
