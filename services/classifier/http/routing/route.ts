import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { ErrorCode } from '../../../../shared/errors/app-error';
import type { Caller } from '../../access/api-keys';

type Method = 'get' | 'post' | 'delete';
export type Json = Record<string, unknown>;

/** A request to a route: what came with it, checked as the route's record says. */
export interface Call<Query = unknown, Body = unknown> {
  readonly req: Request;
  readonly res: Response;
  /** Who asks; `anyone` where the route asks nobody for a key. */
  readonly caller: Caller;
  readonly query: Query;
  readonly body: Body;
  /** A part of the path, as `id` of `/jobs/:id`. */
  readonly param: (name: string) => string;
}

/** Answers a call; what it throws is answered with a problem document. */
export type Handle<Query = unknown, Body = unknown> = (call: Call<Query, Body>) => void | Promise<void>;

/**
 * A schema and its name in the OpenAPI document; `parts` are schemas within it that have names of their
 * own.
 */
export interface NamedSchema {
  readonly name: string;
  readonly schema: z.ZodType;
  readonly parts?: Readonly<Record<string, z.ZodType>>;
}

/**
 * A JSON body. Where it may be absent it counts as `{}`, and its Content-Type is not looked at.
 */
interface JsonBody<Body extends z.ZodType = z.ZodType> {
  readonly json: string;
  /** What the document shows. */
  readonly shown: z.ZodType;
  /** What bodies are checked with: the same, or more. */
  readonly checked: Body;
  readonly required: boolean;
  readonly maxBytes: number;
}

/** A body that the route reads by itself: what the document says of it, by media type. */
interface OtherBody {
  readonly content: Json;
}

/** A good answer. */
export interface Answer {
  /** Absent: the route's summary. */
  readonly description?: string;
  readonly json?: NamedSchema | readonly NamedSchema[];
  /** The bodies of other media types than JSON. */
  readonly content?: Json;
  readonly headers?: Json;
}

export interface HeaderParameter {
  readonly name: string;
  readonly description: string;
  readonly pattern: string;
}

/**
 * What is served beside the interface, as the page and the documentation: not part of the OpenAPI
 * document.
 */
export interface Resource<Deps> {
  readonly method: Method;
  /** The path as Express writes it: `/jobs/:id`. */
  readonly path: string;
  /** Called once, when the service is built. */
  readonly handle: (deps: Deps) => Handle<never, never>;
}

/**
 * A route of the interface. Express routes, the list of paths and the OpenAPI document are made from
 * these records. The document's errors are those listed here and those that come of `access`,
 * `whileOpen`, `query` and `body`.
 */
export interface Operation<
  Deps,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> {
  readonly method: Method;
  readonly path: string;
  readonly id: string;
  readonly tag: 'classification' | 'training' | 'operation';
  readonly summary: string;
  readonly description?: string;
  /** Who may ask: anyone; whoever sends a known key, where keys are asked for; an admin. */
  readonly access: 'anyone' | 'key' | 'admin';
  /** Refused while the service shuts down. */
  readonly whileOpen?: boolean;
  /** What the parts of the path are. */
  readonly params?: Readonly<Record<string, string>>;
  readonly headers?: readonly HeaderParameter[];
  readonly query?: Query;
  readonly body?: JsonBody<Body> | OtherBody;
  /** The answers, by status. */
  readonly answers: Readonly<Record<number, Answer>>;
  readonly errors?: readonly ErrorCode[];
  readonly handle: (deps: Deps) => Handle<z.infer<Query>, z.infer<Body>>;
}

/** An operation whose query and body are known to its handler alone. */
export type AnyOperation<Deps> = Omit<Operation<Deps>, 'handle'> & Resource<Deps>;
export type Route<Deps> = AnyOperation<Deps> | Resource<Deps>;

/** An operation; its handler's types come of its schemas. */
export function operation<Deps, Query extends z.ZodObject = z.ZodObject, Body extends z.ZodType = z.ZodType>(
  record: Operation<Deps, Query, Body>,
): AnyOperation<Deps> {
  return record;
}

export function isOperation<Deps>(route: Route<Deps>): route is AnyOperation<Deps> {
  return 'summary' in route;
}
