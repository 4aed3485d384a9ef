import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../../shared/errors/app-error';

/**
 * Lets pages of this host and of `allowed` open streams. Browsers say on whose behalf they connect and keep no page from
 * connecting anywhere; other clients send no Origin, and could say what they like.
 * @param allowed origins as `https://app.example.com`, or `*` for any
 * @throws AppError forbidden
 */
export function assertOriginAllowed(headers: IncomingHttpHeaders, allowed: readonly string[]): void {
  const { origin, host } = headers;
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin.toLowerCase())) return;
  const page = URL.canParse(origin) ? new URL(origin) : undefined;
  if (page !== undefined && page.host !== '' && page.host === host?.toLowerCase()) return;
  throw new AppError('forbidden', 'Pages of this origin may not listen here; see ALLOWED_ORIGINS.');
}
